# A letter that only root may read, and 8 MiB that are on the disk and still in the page cache.
printf 'Dear kernel,\nplease print this for me.\n' > /root/letter
chmod 600 /root/letter
dd if=/dev/urandom of=/root/data bs=1M count=8 conv=fsync status=none
