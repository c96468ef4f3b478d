# A root tree with one Python, the libraries that it loads, and busybox for the rest.
tree() {  # tree VERSION: the interpreter, its standard library, what ldd names
    root=/opt/images/python${1%.*}
    mkdir -p "$root/bin" "$root/usr/bin" "$root/usr/lib" "$root/etc" "$root/tmp" "$root/proc" "$root/sys" "$root/dev" \
        "$root/run" "$root/root" "$root/lib64" "$root/app"
    cp -a "/usr/lib/python$1" "$root/usr/lib/"
    cp "/usr/bin/python$1" "$root/usr/bin/"
    ln -s "python$1" "$root/usr/bin/python"
    ln -s "python$1" "$root/usr/bin/python${1%.*}"
    rm -rf "$root/usr/lib/python$1/test" "$root/usr/lib/python$1/distutils" "$root/usr/lib/python$1/lib-tk" \
        "$root/usr/lib/python$1/config-$1-x86_64-linux-gnu" "$root/usr/lib/python$1/config-x86_64-linux-gnu"
    find "$root/usr/lib" -name '__pycache__' -prune -exec rm -r {} +
    find "/usr/bin/python$1" "$root/usr/lib/python$1" -type f \( -name '*.so' -o -name "python$1" \) \
        -exec ldd {} + | awk '$1 ~ "^/" && $1 !~ ":$" { print $1 } $3 ~ "^/" { print $3 }' | sort -u | while read -r library; do
        mkdir -p "$root$(dirname "$library")"
        cp -L "$library" "$root$library"
    done
    for applet in sh ls cat echo id ps hostname env sleep mkdir; do ln -s busybox "$root/bin/$applet"; done
    cp /bin/busybox "$root/bin/"
    printf 'root:x:0:0:root:/root:/bin/sh\n' > "$root/etc/passwd"
    printf 'root:x:0:\n' > "$root/etc/group"
    printf 'ID=python%s\nNAME="Python %s"\n' "${1%.*}" "$1" > "$root/etc/os-release"
    chmod 1777 "$root/tmp"
    chroot "$root" /usr/bin/python -c 'import sys, json, ctypes, socket; sys.stdout.write(sys.version.split()[0] + " alone\n")'
    find "$root" -name '*.pyc' -delete
}

tree 2.7
tree "$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
config='{"Env":["PATH=/usr/bin:/bin"],"Cmd":["python"]}'
image-archive python:2.7 /opt/images/python2 "$config" /opt/images/python2.tar
image-archive python:3 /opt/images/python3 "$config" /opt/images/python3.tar
