package cqlproxy

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestParse(t *testing.T) {
	for _, test := range []struct {
		text string
		want []Statement
	}{
		{"SELECT inc FROM node WHERE node_id = ?", []Statement{{Verb: "SELECT", Keyspace: "k", Table: "node", markers: 1}}},
		{"select * from Mesonet.\"Log\"", []Statement{{Verb: "SELECT", Keyspace: "mesonet", Table: "Log"}}},
		{"INSERT INTO log (a, b) VALUES (?, 'IF ?') USING TIMESTAMP ?", []Statement{{Verb: "INSERT", Keyspace: "k", Table: "log", markers: 2}}},
		{"INSERT INTO log (a) VALUES (?) IF NOT EXISTS", []Statement{{Verb: "INSERT", Keyspace: "k", Table: "log", Conditional: true, markers: 1}}},
		{"/* IF */ UPDATE node USING TIMESTAMP 5 SET inc = ? -- IF\n WHERE node_id = ?", []Statement{{Verb: "UPDATE", Keyspace: "k", Table: "node", markers: 2}}},
		{"update node set inc = :inc where node_id = :id if inc = :old", []Statement{{Verb: "UPDATE", Keyspace: "k", Table: "node", Conditional: true, markers: 3}}},
		{`DELETE "if" FROM log WHERE a = 'it''s IF'`, []Statement{{Verb: "DELETE", Keyspace: "k", Table: "log"}}},
		{"DELETE FROM log WHERE a = $$IF$$ IF EXISTS", []Statement{{Verb: "DELETE", Keyspace: "k", Table: "log", Conditional: true}}},
		{"CREATE TABLE IF NOT EXISTS log (a int PRIMARY KEY)", []Statement{{Verb: "CREATE", Keyspace: "k"}}},
		{"TRUNCATE TABLE log", []Statement{{Verb: "TRUNCATE", Keyspace: "k", Table: "log"}}},
		{
			"BEGIN UNLOGGED BATCH USING TIMESTAMP ? INSERT INTO a (x) VALUES (?); UPDATE j.b SET x = ? WHERE y = ? IF z = 1; APPLY BATCH;",
			[]Statement{
				{Verb: "INSERT", Keyspace: "k", Table: "a", markers: 1},
				{Verb: "UPDATE", Keyspace: "j", Table: "b", Conditional: true, markers: 2},
			},
		},
		{"", []Statement{{Keyspace: "k"}}},
		{`SELECT * FROM "`, []Statement{{Verb: "SELECT", Keyspace: "k"}}},
	} {
		got := parse(test.text, "k")
		if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(Statement{}), cmpopts.IgnoreFields(Statement{}, "Text")); diff != "" {
			t.Errorf("%s\n(-want +got)\n%s", test.text, diff)
		}
	}
}

func TestPartsOfABatchHaveTheirText(t *testing.T) {
	var texts []string
	for _, s := range parse("BEGIN BATCH INSERT INTO a (x) VALUES (1); DELETE FROM b WHERE y = 2 APPLY BATCH", "") {
		texts = append(texts, s.Text)
	}
	want := []string{"INSERT INTO a (x) VALUES (1)", "DELETE FROM b WHERE y = 2"}
	if diff := cmp.Diff(want, texts); diff != "" {
		t.Error(diff)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("BEGIN BATCH INSERT INTO a.b (x) VALUES ('it''s', $$?$$, \"q\"\"\") IF NOT EXISTS; APPLY BATCH")
	f.Fuzz(func(t *testing.T, text string) {
		for _, s := range parse(text, "") {
			if len(s.Text) > len(text) {
				t.Errorf("of %q a part is %q", text, s.Text)
			}
		}
	})
}
