# Two Pythons on one system, and each of them alone: as a root tree and as an image, python:2.7 and python:3.
mkdir two
for deb in debs/*.deb; do dpkg -x "$deb" two; done
rm -rf two/usr/share/doc two/usr/share/man two/usr/share/lintian two/usr/share/applications two/usr/share/pixmaps
cp -a two/usr/. /usr/
ln -sf python2.7 /usr/bin/python2
python2 -c 'import json, sqlite3, ssl, ctypes, hashlib, socket; print "Python 2 works"'
python3 -c 'import json, sqlite3, ssl, ctypes, hashlib, socket; print("Python 3 works")'
sh -eu files/trees.sh
find /usr/lib/python2.7 /opt/images/python2 -name '*.pyc' -delete
