# api.proto becomes a descriptor that files/cri reads: the client knows every call and field of the interface by itself.
mkdir api compiler
dpkg -x debs/golang-github-kubernetes-cri-api-dev.deb api
dpkg -x debs/protobuf-compiler.deb compiler
proto=$(find api -path '*runtime/v1/api.proto')
mkdir -p source/gogoproto /opt/cri
# Field options of the Go generator say nothing about the wire.
sed -e '/^import "github.com\/gogo/d; /^option (gogoproto/d; /^import "gogoproto/d' -e 's/ \[(gogoproto[^]]*\]//' "$proto" > source/api.proto
compiler/usr/bin/protoc --proto_path=source --include_imports --descriptor_set_out=/opt/cri/cri.pb api.proto
cp "$proto" /opt/cri/api.proto
install -m 755 files/cri /usr/local/bin/cri
cp files/pod.json files/container.json /opt/cri/
cri --help > /dev/null
