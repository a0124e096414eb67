// The protoc plugins. protoc-gen-go has the version of google.golang.org/protobuf
// in mesonet's go.mod: raise both together. See ../go.mod for why they stand
// apart from the other tools.
module github.com/mesonet/mesonet/tools/generate

go 1.26.0

tool (
	google.golang.org/grpc/cmd/protoc-gen-go-grpc
	google.golang.org/protobuf/cmd/protoc-gen-go
)

require (
	google.golang.org/grpc/cmd/protoc-gen-go-grpc v1.6.2 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
)
