package client

import (
	"context"
	"fmt"
	"testing"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// BenchmarkQuestion is one question after the other over loopback, of a session
// that has seen so many shards, to a server that does nothing.
func BenchmarkQuestion(b *testing.B) {
	for _, shards := range []int{0, 32, 128} {
		b.Run(fmt.Sprintf("shards=%d", shards), func(b *testing.B) {
			f := newFake(b)
			answer := &mesonetv1.GetPrecipitationResponse{}
			f.answer = func(context.Context, string, any) (any, error) { return answer, nil }
			c := f.dial(b, nil)
			seen(c, shards)
			for b.Loop() {
				if err := calls[question](b.Context(), c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkAsk is what this package does to a question.
func BenchmarkAsk(b *testing.B) {
	c := &Client{}
	seen(c, 32)
	request := &mesonetv1.GetPrecipitationRequest{Station: "725030:14732", Year: 2008}
	reply := &mesonetv1.GetPrecipitationResponse{Token: c.Tokens()[7]}
	b.ReportAllocs()
	for b.Loop() {
		c.ask(request)
		c.hear(reply)
	}
}

func seen(c *Client, shards int) {
	for shard := range shards {
		c.Saw(&mesonetv1.Token{Store: 1 << 60, Shard: uint32(shard), Position: 4101<<40 | 1<<20})
	}
}
