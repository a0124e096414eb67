package main

import (
	"errors"
	"testing"

	"github.com/mesonet/mesonet"
	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/actors/entity/entitytest"

	counterv1 "mesonet.example/proto/counter/v1"
)

func TestAdd(t *testing.T) {
	entitytest.Given(t, Counter, &counterv1.Added{N: 3}).
		When(&counterv1.Add{N: 4}).
		Then(&counterv1.Added{N: 4}).
		Replies(&counterv1.Total{N: 7})
	entitytest.Given(t, Counter).
		When(&counterv1.Add{N: -1}).
		Then().
		Refuses(entity.Failed, "must be positive")
}

func TestTotalOutlivesTheNode(t *testing.T) {
	dir := t.TempDir()
	for run := range int64(3) {
		node, err := mesonet.Start(t.Context(), mesonet.DefaultConfig(dir), Counter)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Add.Ask(t.Context(), node, "ada", &counterv1.Add{N: 3})
		if want := 3 * (run + 1); err != nil || got.N != want {
			t.Errorf("run %d: %v, %v; want %d", run, got, err, want)
		}
		if err := node.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		var stopped *counterv1.Total
		if stopped, err = Add.Ask(t.Context(), node, "ada", &counterv1.Add{N: 3}); !errors.Is(err, entity.ErrUnavailable) {
			t.Errorf("a node that was stopped answered %v, %v", stopped, err)
		}
	}
}
