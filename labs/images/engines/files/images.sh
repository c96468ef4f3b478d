# /opt/images: busybox, hello, web and pause as Docker archives, busybox as an OCI archive and as a root tree.
out=/opt/images
mkdir -p $out/rootfs/bin $out/rootfs/etc $out/rootfs/proc $out/rootfs/sys $out/rootfs/dev $out/rootfs/tmp \
    $out/rootfs/run $out/rootfs/root $out/rootfs/usr/lib $out/rootfs/var/log
cp /bin/busybox $out/rootfs/bin/busybox
for applet in $(/bin/busybox --list); do
    [ "$applet" = busybox ] || ln -s busybox "$out/rootfs/bin/$applet"
done
chmod 1777 $out/rootfs/tmp
printf 'ID=busybox\nNAME="Busybox"\n' > $out/rootfs/etc/os-release
printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' > $out/rootfs/etc/passwd
printf 'root:x:0:\nnogroup:x:65534:\n' > $out/rootfs/etc/group
path='"Env":["PATH=/bin"]'
image-archive busybox:latest $out/rootfs "{$path,\"Cmd\":[\"sh\"]}" $out/busybox.tar

mkdir -p web/bin web/www hello/bin pause/bin
for name in web hello pause; do cp /bin/busybox $name/bin/busybox; done
ln -s busybox web/bin/httpd
printf '<h1>It works</h1>\n' > web/www/index.html
image-archive web:latest web "{$path,\"Cmd\":[\"httpd\",\"-f\",\"-v\",\"-p\",\"80\",\"-h\",\"/www\"],\"ExposedPorts\":{\"80/tcp\":{}}}" $out/web.tar
image-archive hello:latest hello "{$path,\"Cmd\":[\"busybox\",\"echo\",\"Hello from a container\"]}" $out/hello.tar
image-archive localhost/pause:1 pause "{$path,\"Entrypoint\":[\"/bin/busybox\",\"sleep\",\"1000000000\"]}" $out/pause.tar
skopeo --insecure-policy copy -q docker-archive:$out/busybox.tar oci:layout:latest
tar --numeric-owner --owner=0 --group=0 --sort=name --mtime=@1735689600 -C layout -cf $out/busybox.oci.tar .
