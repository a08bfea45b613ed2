package main

import (
	"errors"
	"fmt"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
)

// library is libchdb, the engine of ClickHouse, through its C interface (chdb.h).
type library struct {
	connect func(argc int32, argv **byte) *unsafe.Pointer
	close   func(connection *unsafe.Pointer)
	query   func(session unsafe.Pointer, query *byte, length uintptr, format *byte, formatLength uintptr) unsafe.Pointer
	buffer  func(result unsafe.Pointer) *byte
	length  func(result unsafe.Pointer) uintptr
	failure func(result unsafe.Pointer) string
	destroy func(result unsafe.Pointer)

	arguments []*byte    // of a command line: which database to open
	opening   sync.Mutex // the first connection starts the engine, and the last one stops it
}

// loadLibrary opens the data in a directory and keeps it open.
func loadLibrary(path, directory string) (*library, error) {
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, fmt.Errorf("load the engine: %w: fetch it with deploy/dev/clickhouse.sh", err)
	}
	l := &library{arguments: []*byte{cString("clickhouse"), cString("--path=" + directory)}}
	var setSignalHandlers func(enabled bool)
	for name, function := range map[string]any{
		"chdb_connect":                     &l.connect,
		"chdb_close_conn":                  &l.close,
		"chdb_query_n":                     &l.query,
		"chdb_result_buffer":               &l.buffer,
		"chdb_result_length":               &l.length,
		"chdb_result_error":                &l.failure,
		"chdb_destroy_query_result":        &l.destroy,
		"chdb_set_signal_handlers_enabled": &setSignalHandlers,
	} {
		purego.RegisterLibFunc(function, handle, name)
	}
	setSignalHandlers(false) // they are Go's
	if _, err := l.open(); err != nil {
		return nil, fmt.Errorf("open %s: %w", directory, err)
	}
	return l, nil
}

// session is a connection with settings of its own. One query runs in it at a time.
type session struct {
	library    *library
	connection *unsafe.Pointer
}

func (l *library) open() (*session, error) {
	l.opening.Lock()
	defer l.opening.Unlock()
	connection := l.connect(int32(len(l.arguments)), &l.arguments[0])
	if connection == nil || *connection == nil {
		return nil, errors.New("the engine gives no connection: does another process have the directory open?")
	}
	return &session{l, connection}, nil
}

func (s *session) close() {
	s.library.opening.Lock()
	defer s.library.opening.Unlock()
	s.library.close(s.connection)
}

// run returns what a query answers, in the format Native of revision 0.
func (s *session) run(query string) ([]byte, error) {
	const format = "Native"
	l := s.library
	result := l.query(*s.connection, unsafe.StringData(query), uintptr(len(query)), unsafe.StringData(format), uintptr(len(format)))
	defer l.destroy(result)
	if message := l.failure(result); message != "" {
		return nil, errors.New(message)
	}
	answer := unsafe.Slice(l.buffer(result), l.length(result))
	return append([]byte(nil), answer...), nil
}

func cString(s string) *byte { return unsafe.StringData(s + "\x00") }
