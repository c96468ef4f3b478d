. /.bulkhead/checks/lib.sh
need_sandbox
echo "$(name_of "$pause") (pid $pause) does nothing and holds $(ns_of "$pause" net)"
