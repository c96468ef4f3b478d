# A runtime with a kernel of its own, beside runc and crun.
dpkg -x debs/runsc.deb unpacked
install -m 755 unpacked/usr/bin/runsc /usr/local/bin/runsc
rm -rf unpacked
