package client

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// Every question of the API says in its .proto file that it is one.
func TestQuestionsHaveNoSideEffects(t *testing.T) {
	n := 0
	protoregistry.GlobalFiles.RangeFilesByPackage(mesonetv1.File_mesonet_v1_station_proto.Package(), func(file protoreflect.FileDescriptor) bool {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				m := service.Methods().Get(j)
				name := "/" + string(service.FullName()) + "/" + string(m.Name())
				if isQuestion := isQuestion(m); isQuestion != (levelOf(name) == question) {
					t.Errorf("%s has the idempotency_level %v, and is a question: %t", name, levelOf(name), isQuestion)
				}
				n++
			}
		}
		return true
	})
	if n < 11 {
		t.Errorf("%d methods were found, want all", n)
	}
}

// isQuestion knows questions by their name, or by the tokens that they carry.
func isQuestion(m protoreflect.MethodDescriptor) bool {
	read := m.Input().Fields().ByName("read")
	return read != nil && read.Message() != nil && read.Message().FullName() == readName ||
		slices.ContainsFunc([]string{"Get", "List", "Ask"}, func(verb string) bool { return strings.HasPrefix(string(m.Name()), verb) })
}

func TestLevels(t *testing.T) {
	for method, want := range map[string]level{
		mesonetv1.WeatherService_GetPrecipitation_FullMethodName: question,
		mesonetv1.StationService_RegisterStations_FullMethodName: idempotent,
		mesonetv1.IngestService_Ingest_FullMethodName:            idempotent,
		mesonetv1.StationService_DeleteStation_FullMethodName:    once, // the second time it is NOT_FOUND
		mesonetv1.EntityService_SkipEvent_FullMethodName:         once,
		"/mesonet.v1.StationService/Unheard":                     once,
		"/mesonet.v1.Station/id":                                 once,
		"":                                                       once,
	} {
		for range 2 { // the second time it is remembered
			if got := levelOf(method); got != want {
				t.Errorf("%q has the level %v, want %v", method, got, want)
			}
		}
	}
}
