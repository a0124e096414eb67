package cqlproxy

import "fmt"

// A WriteType is what a write that failed was part of.
type WriteType string

// Write types.
const (
	WriteSimple        WriteType = "SIMPLE"
	WriteBatch         WriteType = "BATCH"
	WriteUnloggedBatch WriteType = "UNLOGGED_BATCH"
	WriteBatchLog      WriteType = "BATCH_LOG"
	WriteCounter       WriteType = "COUNTER"
	WriteCAS           WriteType = "CAS"
)

// Codes of errors.
const (
	codeServer       = 0x0000
	codeProtocol     = 0x000a
	codeUnavailable  = 0x1000
	codeOverloaded   = 0x1001
	codeWriteTimeout = 0x1100
	codeReadTimeout  = 0x1200
	codeWriteFailure = 0x1500
	codeCASUnknown   = 0x1700
)

// A Failure is an ERROR that the proxy answers with. Where the error tells of a
// consistency level, it is that of the request: the serial one of a lightweight
// transaction, if the request names it.
type Failure struct {
	code    int
	message string
	details func(to []byte, r *Request) []byte
}

// WriteTimeout is an answer that says: fewer replicas than required have
// acknowledged the write in time. It may have happened.
func WriteTimeout(writeType WriteType, received, required int) Failure {
	return Failure{
		code:    codeWriteTimeout,
		message: fmt.Sprintf("Operation timed out - received only %d responses.", received),
		details: func(to []byte, r *Request) []byte {
			to = appendReplicas(to, r, received, required)
			to = appendString(to, string(writeType))
			if r.version >= version5 && writeType == WriteCAS {
				to = appendShort(to, 1) // how often it met another
			}
			return to
		},
	}
}

// WriteFailure is an answer that says: replicas have refused the write. It may
// have happened on others.
func WriteFailure(writeType WriteType, received, required, failed int) Failure {
	return Failure{
		code:    codeWriteFailure,
		message: fmt.Sprintf("Operation failed - received %d responses and %d failures.", received, failed),
		details: func(to []byte, r *Request) []byte {
			to = appendReplicas(to, r, received, required)
			to = appendInt(to, failed)
			if r.version >= version5 {
				for i := range failed { // who it was, and why
					to = append(to, 4, 127, 0, 0, byte(i+1))
					to = appendShort(to, 0)
				}
			}
			return appendString(to, string(writeType))
		},
	}
}

// CASUnknown is an answer that says: whether the lightweight transaction has
// been applied, or ever will be, is not known.
func CASUnknown(received, required int) Failure {
	return Failure{
		code:    codeCASUnknown,
		message: fmt.Sprintf("CAS operation result is unknown - proposal accepted by %d but not a quorum.", received),
		details: func(to []byte, r *Request) []byte { return appendReplicas(to, r, received, required) },
	}
}

// ReadTimeout is an answer that says: too few replicas have answered in time,
// or none of them with the data.
func ReadTimeout(received, required int, dataPresent bool) Failure {
	return Failure{
		code:    codeReadTimeout,
		message: fmt.Sprintf("Operation timed out - received only %d responses.", received),
		details: func(to []byte, r *Request) []byte {
			to = appendReplicas(to, r, received, required)
			if dataPresent {
				return append(to, 1)
			}
			return append(to, 0)
		},
	}
}

// Unavailable is an answer that says: too few replicas are up, nothing was
// tried.
func Unavailable(required, alive int) Failure {
	return Failure{
		code:    codeUnavailable,
		message: "Cannot achieve consistency level",
		details: func(to []byte, r *Request) []byte { return appendReplicas(to, r, required, alive) },
	}
}

// Overloaded is an answer that says: the coordinator has too much to do,
// nothing was tried.
func Overloaded() Failure {
	return Failure{code: codeOverloaded, message: "Too many requests in flight"}
}

// ServerError is the answer to what the server did not expect.
func ServerError(message string) Failure {
	return Failure{code: codeServer, message: message}
}

func appendReplicas(to []byte, r *Request, first, second int) []byte {
	level := r.Consistency
	if r.Serial != 0 && r.conditional() {
		level = r.Serial
	}
	return appendInt(appendInt(appendShort(to, int(level)), first), second)
}

// frame is the answer to a request.
func (f Failure) frame(r *Request) frame {
	b := appendString(appendInt(nil, f.code), f.message)
	if f.details != nil {
		b = f.details(b, r)
	}
	return frame{first: fromServer | r.version, opcode: OpError, body: b}
}

// A ServerFailure is an ERROR that the server has answered with.
type ServerFailure struct {
	Code    int // as in section 8 of the protocol's specification
	Message string
}

func (e *ServerFailure) Error() string {
	return fmt.Sprintf("cqlproxy: the server answered with error %#04x: %s", e.Code, e.Message)
}

// failureOf is the error that a reply tells of, or nil.
func failureOf(reply frame) error {
	if reply.opcode != OpError {
		return nil
	}
	b := bodyOf(reply)
	return &ServerFailure{Code: b.int(), Message: b.string()}
}
