wget -q -O - http://127.0.0.1:8000/ | grep -q Served && echo "port 8000 answers" && exit 0
echo "nothing answers on port 8000"
exit 1
