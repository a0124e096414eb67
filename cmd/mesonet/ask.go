package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

const (
	// mostAsked is how many questions one call may have.
	mostAsked = 1000
	// longestQuestion is the most bytes of a line: no question needs a tenth.
	longestQuestion = 64 << 10
)

// asked counts what became of questions.
type asked struct{ questions, unanswered int }

// askMany answers the questions of r, a line each, with a line each, in their order.
// What is not a question is answered too: with a failure, so that the lines of both
// sides belong to each other.
func (c *client) askMany(ctx context.Context, r io.Reader, w io.Writer) (sum asked, err error) {
	b := bufio.NewWriterSize(w, 64<<10)
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 4<<10), longestQuestion)
	batch := askBatch{server: c, w: b, sum: &sum}
	number := 0
	for lines.Scan() {
		number++
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		batch.add(number, lines.Bytes())
		if batch.n < mostAsked {
			continue
		}
		if err := batch.ask(ctx); err != nil {
			return sum, errors.Join(err, b.Flush())
		}
	}
	if err := batch.ask(ctx); err != nil {
		return sum, errors.Join(err, b.Flush())
	}
	err = lines.Err()
	if errors.Is(err, bufio.ErrTooLong) {
		err = misuse("line %d is longer than %d bytes, and so no question; what came before it is answered", number+1, longestQuestion)
	}
	return sum, errors.Join(err, b.Flush())
}

// askBatch is the questions of one call.
type askBatch struct {
	server    *client
	w         io.Writer
	sum       *asked
	questions []*mesonetv1.Question
	// wrong are the lines that are no questions, by their place among n.
	wrong map[int]*mesonetv1.Answer
	n     int
}

// reasonBadQuestion is that of a line which is no question.
const reasonBadQuestion = "BAD_QUESTION"

func (b *askBatch) add(number int, line []byte) {
	q := &mesonetv1.Question{}
	err := protojson.Unmarshal(line, q)
	if err == nil && q.GetQuestion() == nil {
		err = errors.New("it asks nothing")
	}
	if err == nil {
		b.questions = append(b.questions, q)
	} else {
		if b.wrong == nil {
			b.wrong = make(map[int]*mesonetv1.Answer)
		}
		b.wrong[b.n] = &mesonetv1.Answer{Answer: &mesonetv1.Answer_Failure{Failure: &mesonetv1.Failure{
			Code: int32(codes.InvalidArgument), Reason: reasonBadQuestion, Message: fmt.Sprintf("line %d is not a question: %s", number, strings.TrimPrefix(oneLine(err.Error()), "proto: ")),
		}}}
	}
	b.n++
}

// ask asks the questions and writes the answers, in the order of the lines.
func (b *askBatch) ask(ctx context.Context) error {
	var answers []*mesonetv1.Answer
	if len(b.questions) > 0 {
		r, err := b.server.Ask(ctx, &mesonetv1.AskRequest{Questions: b.questions})
		if err != nil {
			return err
		}
		if answers = r.GetAnswers(); len(answers) != len(b.questions) {
			return fail(exitFailed, "the server at %s gave %d answers to %d questions; it may be of another version: compare with mesonet version", b.server.addr, len(answers), len(b.questions))
		}
	}
	for i := range b.n {
		answer := b.wrong[i]
		if answer == nil {
			answer, answers = answers[0], answers[1:]
		}
		b.sum.questions++
		if answer.GetFailure() != nil || answer.GetAnswer() == nil {
			b.sum.unanswered++
		}
		line, err := answerJSON(answer)
		if err == nil {
			_, err = b.w.Write(line)
		}
		if err != nil {
			return err
		}
	}
	b.questions, b.wrong, b.n = b.questions[:0], nil, 0
	return nil
}

// answerJSON returns an answer as a line, with the names of the API and without
// tokens, which are of no use to who reads a file.
func answerJSON(answer *mesonetv1.Answer) ([]byte, error) {
	m := answer.ProtoReflect()
	m.Range(func(_ protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		inner := v.Message()
		for _, name := range []protoreflect.Name{"token", "tokens"} {
			if tokens := inner.Descriptor().Fields().ByName(name); tokens != nil {
				inner.Clear(tokens)
			}
		}
		return true
	})
	text, err := protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: true}.Marshal(answer)
	if err != nil {
		return nil, err
	}
	var line bytes.Buffer
	err = json.Compact(&line, text) // protobuf leaves its spaces to chance
	line.WriteByte('\n')
	return line.Bytes(), err
}

func askCommand(a *app) *cobra.Command {
	var q connection
	c := &cobra.Command{
		Use:   "ask -",
		Short: "Ask many questions at once: a line each, in and out",
		Long: `Reads questions from stdin, a JSON object a line, and writes the answers, a line
each, in the same order. A question is one of mesonet.v1.Question: station,
current_weather, daily_temperature, monthly_temperature, monthly_hi_low,
precipitation, top_precipitation, sky_conditions, wind, statistics, top or
top_stations. One that can't be answered has a failure, and the exit code is 5.`,
		Example: `  mesonet ask - < questions.jsonl > answers.jsonl
  echo '{"precipitation":{"station":"725030:14732","year":2008}}' | mesonet ask -`,
		Args: arguments("-"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[0] != "-" {
				return misuse("questions come from stdin; write mesonet ask - < %s", quoted(args[0]))
			}
			server, err := q.dial()
			if err != nil {
				return err
			}
			defer server.close()
			sum, err := server.askMany(cmd.Context(), a.in, a.out)
			switch {
			case err != nil:
				return err
			case sum.unanswered > 0:
				return fail(exitPartly, "done in part: %s of %s without an answer; their lines say why", count(sum.unanswered), counted(sum.questions, "question", "questions"))
			}
			return nil
		},
	}
	q.flags(c)
	return c
}
