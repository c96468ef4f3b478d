// "mesos-containerizer launch": what an agent executes in a new container before the task's own program.
//
// The class that does it is in libmesos.so, its program isn't. Flags come from MESOS_CONTAINERIZER_*.
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#define LAUNCH "5mesos8internal5slave24MesosContainerizerLaunch"
// A returned Try<Warnings>, whose content we never look at.
struct Opaque { alignas(16) char room[512]; ~Opaque() {} };
static const size_t OBJECT_BYTES = 65536;  // more than the class has
static void *library;

static void *symbol(const char *name) {
  void *found = dlsym(library, name);
  if (!found) {
    fprintf(stderr, "mesos-containerizer: libmesos has no %s\n", name);
    exit(1);
  }
  return found;
}

int main(int argc, char **argv) {
  if (argc < 2 || strcmp(argv[1], "launch")) {
    fprintf(stderr, "usage: mesos-containerizer launch\n");
    return 2;
  }
  library = dlopen("/opt/mesos/lib/libmesos.so", RTLD_LAZY | RTLD_GLOBAL);
  if (!library) {
    fprintf(stderr, "mesos-containerizer: %s\n", dlerror());
    return 1;
  }
  auto *object = (char *)calloc(1, OBJECT_BYTES);
  *(void **)object = (char *)symbol("_ZTVN" LAUNCH "E") + 16;
  char *base = ((char *(*)(void *))symbol("_ZN" LAUNCH "8getFlagsEv"))(object);  // FlagsBase, the flags' virtual base
  char *flags = base - *(long *)symbol("_ZTVN" LAUNCH "5FlagsE");
  ((void (*)(void *))symbol("_ZN" LAUNCH "5FlagsC1Ev"))(flags);
  auto load = (Opaque(*)(void *, const std::string &))symbol(
      "_ZN5flags9FlagsBase4loadERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE");
  static Opaque warnings = load(base, std::string("MESOS_CONTAINERIZER_"));
  return ((int (*)(void *))symbol("_ZN" LAUNCH "7executeEv"))(object);
}
