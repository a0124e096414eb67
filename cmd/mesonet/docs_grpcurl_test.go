package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// grpcurl does what grpcurl does: it knows of a server what that says of itself.
func grpcurl(ctx context.Context, args []string, stdout io.Writer) error {
	var rest []string
	request := "{}"
	for i := 0; i < len(args); i++ {
		switch args[i] {
		case "-plaintext":
		case "-d":
			if i++; i < len(args) {
				request = args[i]
			}
		default:
			rest = append(rest, args[i])
		}
	}
	if len(rest) != 2 || !slices.Contains(args, "-plaintext") {
		return errors.New("the pages' grpcurl is grpcurl -plaintext [-d JSON] ADDRESS list|METHOD")
	}
	conn, err := grpc.NewClient(rest[0], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	if rest[1] == "list" {
		return listServices(ctx, conn, stdout)
	}
	service, name, _ := strings.Cut(rest[1], "/")
	files, err := filesOf(ctx, conn, service)
	if err != nil {
		return err
	}
	found, err := files.FindDescriptorByName(protoreflect.FullName(service + "." + name))
	if err != nil {
		return err
	}
	method, ok := found.(protoreflect.MethodDescriptor)
	if !ok {
		return fmt.Errorf("%s is no method", rest[1])
	}
	types := dynamicpb.NewTypes(files)
	message := dynamicpb.NewMessage(method.Input())
	if err := (protojson.UnmarshalOptions{Resolver: types}).Unmarshal([]byte(request), message); err != nil {
		return err
	}
	err = callMethod(ctx, conn, method, message, func(answer proto.Message) error {
		return printMessage(stdout, types, answer)
	})
	if st, refused := status.FromError(err); refused && err != nil {
		return printStatus(stdout, st)
	}
	return err
}

// askAboutItself asks the server about itself.
func askAboutItself(ctx context.Context, conn *grpc.ClientConn, request *reflectionv1.ServerReflectionRequest) (*reflectionv1.ServerReflectionResponse, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := reflectionv1.NewServerReflectionClient(conn).ServerReflectionInfo(ctx)
	if err != nil {
		return nil, err
	}
	if err := stream.Send(request); err != nil {
		return nil, err
	}
	return stream.Recv()
}

func listServices(ctx context.Context, conn *grpc.ClientConn, stdout io.Writer) error {
	answer, err := askAboutItself(ctx, conn, &reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}})
	if err != nil {
		return err
	}
	var names []string
	for _, service := range answer.GetListServicesResponse().GetService() {
		names = append(names, service.GetName())
	}
	slices.Sort(names)
	_, err = fmt.Fprintln(stdout, strings.Join(names, "\n"))
	return err
}

// filesOf asks for the file of a service and those that it imports.
func filesOf(ctx context.Context, conn *grpc.ClientConn, service string) (*protoregistry.Files, error) {
	answer, err := askAboutItself(ctx, conn, &reflectionv1.ServerReflectionRequest{
		MessageRequest: &reflectionv1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: service},
	})
	if err != nil {
		return nil, err
	}
	if failed := answer.GetErrorResponse(); failed != nil {
		return nil, errors.New(failed.GetErrorMessage())
	}
	set := &descriptorpb.FileDescriptorSet{}
	for _, text := range answer.GetFileDescriptorResponse().GetFileDescriptorProto() {
		file := &descriptorpb.FileDescriptorProto{}
		if err := proto.Unmarshal(text, file); err != nil {
			return nil, err
		}
		set.File = append(set.File, file)
	}
	return protodesc.NewFiles(set)
}

func callMethod(ctx context.Context, conn *grpc.ClientConn, method protoreflect.MethodDescriptor, request proto.Message, each func(proto.Message) error) error {
	path := fmt.Sprintf("/%s/%s", method.Parent().FullName(), method.Name())
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: method.IsStreamingServer(), ClientStreams: method.IsStreamingClient()}, path)
	if err != nil {
		return err
	}
	if err := errors.Join(stream.SendMsg(request), stream.CloseSend()); err != nil {
		return err
	}
	for {
		answer := dynamicpb.NewMessage(method.Output())
		if err := stream.RecvMsg(answer); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := each(answer); err != nil {
			return err
		}
	}
}

// printMessage writes a message; protojson's blanks are not the same each time.
func printMessage(stdout io.Writer, types *dynamicpb.Types, message proto.Message) error {
	text, err := protojson.MarshalOptions{Resolver: types}.Marshal(message)
	if err != nil {
		return err
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, text, "", "  "); err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, indented.String())
	return err
}

func printStatus(stdout io.Writer, st *status.Status) error {
	_, err := fmt.Fprintf(stdout, "ERROR:\n  Code: %s\n  Message: %s\n", st.Code(), st.Message())
	if details := st.Proto().GetDetails(); err == nil && len(details) > 0 {
		_, err = fmt.Fprintln(stdout, "  Details:")
		for i, detail := range details {
			text, failed := protojson.Marshal(detail)
			var fields map[string]any
			if failed := errors.Join(failed, json.Unmarshal(text, &fields)); failed != nil {
				return failed
			}
			text, failed = json.MarshalIndent(fields, "    \t", "  ") // sorted by name
			if failed != nil {
				return failed
			}
			_, err = fmt.Fprintf(stdout, "  %d)\t%s\n", i+1, text)
		}
	}
	return errors.Join(err, errRefused)
}

// errRefused is of a call that the server has refused, which was shown.
var errRefused = errors.New("refused")
