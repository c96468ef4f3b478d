/* A function that the library names and never calls here: it says so and ends the program. */
#include <stdio.h>
#include <stdlib.h>

#define ABSENT(name, ours, version)                                  \
    void ours(void)                                                  \
    {                                                                \
        fputs("TLS is not part of this lab: " #name "\n", stderr);   \
        abort();                                                     \
    }                                                                \
    __asm__(".symver " #ours "," #name "@" version);
