package pebble

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/mesonet/mesonet/persistence"
)

// What is read from a disk is an error or makes sense, whatever it is.

func FuzzKeys(f *testing.F) {
	f.Add(scanKey(persistence.PageKey{Shard: 1, Kind: "station", ID: "725030:14732", Page: "year/2008"}))
	f.Add(frameKey(1, persistence.At(persistence.FirstEpoch, 3)))
	f.Add(sealKey(1, persistence.FirstEpoch))
	f.Add(leafKey(7))
	f.Add([]byte{prefixPage, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, key []byte) {
		check := func(again []byte, err error) {
			t.Helper()
			if err == nil && !bytes.Equal(again, key) {
				t.Errorf("%x was read as %x", key, again)
			}
			if err != nil && !errors.Is(err, persistence.ErrCorrupt) {
				t.Errorf("%x: %v", key, err)
			}
		}
		page, err := parsePageKey(1, key)
		if err == nil {
			var again []byte
			again, err = pageKey(page)
			check(again, err)
		}
		check(scanKey(page), err)
		at, err := parseFrameKey(1, key)
		check(frameKey(1, at), err)
		epoch, err := parseSealKey(1, key)
		check(sealKey(1, epoch), err)
		leaf, err := parseLeafKey(key)
		check(leafKey(leaf), err)
	})
}

func FuzzPageKey(f *testing.F) {
	f.Add("station", "725030:14732", "year/2008")
	f.Add("", "", "checkpoint")
	f.Fuzz(func(t *testing.T, kind, id, page string) {
		want := persistence.PageKey{Shard: 9, Kind: kind, ID: id, Page: page}
		key, err := pageKey(want)
		if nul := strings.Contains(kind+id+page, "\x00"); nul != (err != nil) {
			t.Fatalf("%q: %v", want, err)
		}
		if err != nil {
			return
		}
		if got, err := parsePageKey(9, key); err != nil || got != want {
			t.Errorf("%q was read as %q, %v", want, got, err)
		}
	})
}

func FuzzDescription(f *testing.F) {
	f.Add([]byte(`{"format": 1, "id": "000102030405060708090a0b0c0d0e0f", "shards": 32, "hash": "xxh64-kind-nul-id"}`))
	f.Add([]byte(`{"format": 1,`))
	f.Fuzz(func(t *testing.T, content []byte) {
		info, err := readDescription(content)
		switch {
		case err != nil:
			if !errors.Is(err, persistence.ErrCorrupt) && !errors.Is(err, persistence.ErrFormat) {
				t.Fatal(err)
			}
		case info.Format != Format || info.Hash != persistence.HashName || persistence.ValidShards(info.Shards) != nil:
			t.Fatalf("%q was read as %+v", content, info)
		}
	})
}

func FuzzWitness(f *testing.F) {
	w := newWitness()
	w.Nodes["n"], w.Shards[3], w.Writes = 7, persistence.At(persistence.FirstEpoch, 12), 99
	content, err := encodeWitness(w)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(content)
	f.Add(content[:20])
	f.Add([]byte("{\"nodes\":5}\n"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, content []byte) {
		// As it is, and with the sum that gets it past the first look.
		for _, content := range [][]byte{content, sealWitness(content)} {
			w, err := decodeWitness(content)
			if err != nil {
				continue
			}
			again, err := encodeWitness(w)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := decodeWitness(again); err != nil {
				t.Fatalf("%q was read as %q, which is %v", content, again, err)
			}
		}
	})
}
