. /.bulkhead/checks/lib.sh
for name in invoice report; do
    file=/root/$name.txt
    if [ ! -s $file ]; then
        echo "not yet because $file does not exist or is empty: what a program says when it fails is on its second output, 2>&1"
        exit 1
    elif grep -q 'No such file or directory' $file; then
        echo "not yet because nothing is called python: ln -sf python2 /usr/bin/python"
        exit 1
    elif ! grep -q SyntaxError $file || ! grep -q "/srv/$name/main.py" $file; then
        echo "not yet because in $file, $name does not fail: it was run by the Python it was written for"
        exit 1
    fi
done
echo "the invoice is no program to Python 2, the report is none to Python 3"
