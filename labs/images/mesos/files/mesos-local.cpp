// A main() for Mesos's own "local cluster": a master and MESOS_NUM_SLAVES agents in one process.
//
// All of Mesos is in libmesos.so (the Python binding's library); only the programs are missing there, so we find the
// functions that theirs call by their mangled names. Flags come from MESOS_* as in any Mesos program, and besides:
//     MESOS_LEADER=master@IP:PORT   be an agent of that master; the one in this process stays a standby
#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>

// Option<std::string> as libmesos lays it out.
struct Maybe {
  int none = 1;
  union { std::string text; };
  Maybe() {}
  explicit Maybe(const char *value) : none(0) { new (&text) std::string(value); }
  ~Maybe() {}
};
// A returned class whose content we never look at: room enough for any of them, and no destructor that does something.
struct Opaque { alignas(16) char room[512]; ~Opaque() {} };

#define STRING "NSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE"
#define APPOINT "_ZN5mesos6master8detector24StandaloneMasterDetector7appointERK"
static const size_t FLAGS_BYTES = 65536;  // more than any class of flags has
static void *library;

static void *symbol(const char *name) {
  void *found = dlsym(library, name);
  if (!found) {
    fprintf(stderr, "mesos-local: libmesos has no %s\n", name);
    exit(1);
  }
  return found;
}

// "Who leads?" is answered with MESOS_LEADER, whatever master the library wants to appoint.
static void appoint(void *self, const void *) {
  alignas(16) static char address[1024];
  ((void (*)(void *, const char *))symbol("_ZN7process4UPIDC1EPKc"))(address, getenv("MESOS_LEADER"));
  ((void (*)(void *, const void *))symbol(APPOINT "N7process4UPIDE"))(self, address);
}

// The library calls its own functions directly, so the first bytes of one become a jump: mov $to,%rax; jmp *%rax
static void divert(char *from, void *to) {
  long page = sysconf(_SC_PAGESIZE);
  char *start = (char *)((unsigned long)from & ~(page - 1));
  mprotect(start, 2 * page, PROT_READ | PROT_WRITE | PROT_EXEC);
  memcpy(from, "\x48\xb8", 2);
  memcpy(from + 2, &to, sizeof to);
  memcpy(from + 10, "\xff\xe0", 2);
  mprotect(start, 2 * page, PROT_READ | PROT_EXEC);
}

int main() {
  library = dlopen("/opt/mesos/lib/libmesos.so", RTLD_LAZY | RTLD_GLOBAL);
  if (!library) {
    fprintf(stderr, "mesos-local: %s\n", dlerror());
    return 1;
  }
  auto *flags = (char *)calloc(1, FLAGS_BYTES);
  ((void (*)(void *))symbol("_ZN5mesos8internal5local5FlagsC1Ev"))(flags);
  // The offsets of the virtual bases, logging::Flags and FlagsBase, stand before the vtable; FlagsBase lies behind.
  long *table = *(long **)flags;
  long base = table[-3] > table[-4] ? table[-3] : table[-4];
  auto load = (Opaque(*)(void *, const std::string &))symbol("_ZN5flags9FlagsBase4loadERK" STRING);
  static Opaque warnings = load(flags + base, std::string("MESOS_"));

  Maybe delegate("master"), none1, none2;
  ((bool (*)(const Maybe &, const Maybe &, const Maybe &))symbol("_ZN7process10initializeERK6OptionI" STRING "ES9_S9_"))(
      delegate, none1, none2);
  if (getenv("MESOS_LEADER"))
    divert((char *)symbol(APPOINT "6OptionINS_10MasterInfoEE"), (void *)appoint);
  auto launch = (Opaque(*)(const void *, void *))symbol(
      "_ZN5mesos8internal5local6launchERKNS1_5FlagsEPNS_9allocator9AllocatorE");
  static Opaque master = launch(flags, nullptr);
  for (;;)
    pause();
}
