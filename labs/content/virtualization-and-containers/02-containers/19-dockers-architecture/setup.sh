# Certificates: an authority, the daemon's and the student's signed by it, and one signed by another authority.
set -e
[ ! -e /root/certs/stranger.pem ] || exit 0
mkdir -p /root/certs
cd /root/certs
authority() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj "/CN=$2" -keyout "$1.key" -out "$1.pem" 2>/dev/null
}
signed() {  # signed NAME AUTHORITY EXTENSIONS
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$1" -keyout "$1.key" -out "$1.csr" 2>/dev/null
    printf "$3" > extensions
    openssl x509 -req -in "$1.csr" -CA "$2.pem" -CAkey "$2.key" -CAcreateserial -days 30 -extfile extensions -out "$1.pem" 2>/dev/null
}
authority ca "The lab's authority"
authority other "Another authority"
signed server ca 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n'
signed client ca 'extendedKeyUsage=clientAuth\n'
signed stranger other 'extendedKeyUsage=clientAuth\n'
rm -f ./*.csr ./*.srl extensions other.key other.pem ca.key
