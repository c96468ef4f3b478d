# Apache Mesos's own library from its Python egg, and around it the small programs and libraries that the egg lacks.
target=/opt/mesos
mkdir -p $target/bin $target/lib $target/libexec
python3 -m zipfile -e eggs/mesos.scheduler.egg egg
library=egg/mesos/scheduler/_scheduler.so

# TLS is not part of the lab: OpenSSL 1.0's functions are there by name only.
{
    cat files/absent.h
    nm -D --undefined-only $library | grep -oE '[A-Za-z0-9_]+@OPENSSL_[0-9.]+' \
        | awk -F@ '{ print "ABSENT(" $1 ", absent_" $1 ", \"" $2 "\")" }'
} > tls.c
printf 'OPENSSL_1.0.0 { local: absent_*; };\nOPENSSL_1.0.1 { } OPENSSL_1.0.0;\nOPENSSL_1.0.2 { } OPENSSL_1.0.1;\n' > tls.map
for name in ssl crypto; do
    gcc -O2 -s -shared -fPIC -Wl,-soname,lib$name.so.1.0.0 -Wl,--version-script=tls.map -o $target/lib/lib$name.so.1.0.0 tls.c
done
echo 'CURL_OPENSSL_3 { global: curl_*; local: *; };' > curl.map
gcc -O2 -s -shared -fPIC -Wl,-soname,libcurl.so.4 -Wl,--version-script=curl.map -o $target/lib/libcurl.so.4 files/curl.c -ldl

# The binding's half of the library asks for Python 2's functions and never calls them here.
nm -D --undefined-only $library | grep -oE ' _?Py[A-Za-z0-9_]+$' | sed 's/ \(.*\)/long \1[64];/' > python.c
gcc -O2 -c -fPIC python.c
strip --strip-unneeded -o $target/lib/libmesos.so $library
chmod 755 $target/lib/libmesos.so
for program in bin/mesos-local libexec/mesos-containerizer; do
    g++ -O2 -s -rdynamic '-Wl,--no-as-needed,--disable-new-dtags,-rpath,$ORIGIN/../lib' -o $target/$program \
        files/$(basename $program).cpp python.o $target/lib/libcurl.so.4 $target/lib/libcrypto.so.1.0.0 $target/lib/libssl.so.1.0.0 -ldl
done
install -m 755 files/mesos-executor $target/libexec/mesos-executor
install -m 755 files/mesos-master /usr/local/bin/mesos-master
ln -s mesos-master /usr/local/bin/mesos-agent
install -m 755 files/framework /usr/local/bin/framework
rm -rf egg ./*.c ./*.o ./*.map
apt-get -qq -y -o Dpkg::Use-Pty=0 autoremove --purge g++
