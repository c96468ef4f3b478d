/* libcurl.so.4 with the symbol version that Mesos was linked to; every call goes on to the distribution's libcurl. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdarg.h>
#include <stdlib.h>

static void *find(const char *name)
{
    static void *library;
    void *found;

    if (!library)
        library = dlopen("libcurl-gnutls.so.4", RTLD_NOW | RTLD_LOCAL);
    found = library ? dlsym(library, name) : NULL;
    if (!found)
        abort();
    return found;
}

void *curl_easy_init(void)
{
    return ((void *(*)(void))find("curl_easy_init"))();
}

void curl_easy_cleanup(void *handle)
{
    ((void (*)(void *))find("curl_easy_cleanup"))(handle);
}

int curl_easy_perform(void *handle)
{
    return ((int (*)(void *))find("curl_easy_perform"))(handle);
}

const char *curl_easy_strerror(int error)
{
    return ((const char *(*)(int))find("curl_easy_strerror"))(error);
}

int curl_global_init(long flags)
{
    return ((int (*)(long))find("curl_global_init"))(flags);
}

/* The variable argument is one word in either case. */
static void *word_of(va_list arguments)
{
    return va_arg(arguments, void *);
}

int curl_easy_setopt(void *handle, int option, ...)
{
    va_list arguments;
    void *value;

    va_start(arguments, option);
    value = word_of(arguments);
    va_end(arguments);
    return ((int (*)(void *, int, ...))find("curl_easy_setopt"))(handle, option, value);
}

int curl_easy_getinfo(void *handle, int info, ...)
{
    va_list arguments;
    void *value;

    va_start(arguments, info);
    value = word_of(arguments);
    va_end(arguments);
    return ((int (*)(void *, int, ...))find("curl_easy_getinfo"))(handle, info, value);
}
