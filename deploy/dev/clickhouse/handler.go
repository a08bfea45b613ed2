package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/ClickHouse/ch-go/compress"
	chproto "github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2/lib/proto"
)

// handler answers queries as https://clickhouse.com/docs/interfaces/http describes. Every request has a session of its
// own. Answers are made whole before they are sent, and a query whose client has gone runs to its end or to its
// max_execution_time.
type handler struct{ engine *library }

// notSettings are the parameters of a request that the server itself understands.
var notSettings = map[string]bool{
	"query": true, "query_id": true, "database": true, "default_format": true, "client_protocol_version": true,
	"compress": true, "decompress": true, "user": true, "password": true, "quota_key": true, "wait_end_of_query": true,
	"cancel_http_readonly_queries_on_client_close": true,
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer, err := h.answer(r.URL.Query(), r.Body)
	if err != nil {
		w.Header().Set("X-ClickHouse-Exception-Code", exceptionCode(err))
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("X-ClickHouse-Format", "Native")
	w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
	_, _ = w.Write(answer) // the client has gone if this fails
}

func (h *handler) answer(parameters url.Values, body io.Reader) ([]byte, error) {
	s, err := h.engine.open()
	if err != nil {
		return nil, err
	}
	defer s.close()
	if err := prepare(s, parameters); err != nil {
		return nil, err
	}
	query := parameters.Get("query")
	if query == "" {
		text, err := io.ReadAll(body)
		if err != nil {
			return nil, err
		}
		answer, err := s.run(string(text))
		if err != nil {
			return nil, err
		}
		return recode(answer, parameters)
	}
	return nil, insert(s, query, decompressed(body, parameters))
}

// prepare makes the settings and the parameters of the query those of the session.
func prepare(s *session, parameters url.Values) error {
	statements := []string{"SET low_cardinality_allow_in_native_format = 0"}
	if database := parameters.Get("database"); database != "" {
		statements = append(statements, "USE "+identifier(database))
	}
	for name := range parameters {
		if !notSettings[name] {
			statements = append(statements, "SET "+identifier(name)+" = "+literal(parameters.Get(name)))
		}
	}
	for _, statement := range statements {
		if _, err := s.run(statement); err != nil {
			return err
		}
	}
	return nil
}

var (
	quoteIdentifier = strings.NewReplacer("\\", "\\\\", "`", "\\`")
	quoteLiteral    = strings.NewReplacer(`\`, `\\`, `'`, `\'`)
	nativeFormat    = regexp.MustCompile(`(?i)\s+FORMAT\s+Native\s*$`)
	codeOf          = regexp.MustCompile(`^Code: (\d+)\.`)
)

func identifier(s string) string { return "`" + quoteIdentifier.Replace(s) + "`" }

func literal(s string) string { return "'" + quoteLiteral.Replace(s) + "'" }

func exceptionCode(err error) string {
	if found := codeOf.FindStringSubmatch(err.Error()); found != nil {
		return found[1]
	}
	return "1002" // UNKNOWN_EXCEPTION
}

// insert hands blocks over in a file, since the C interface takes a query without data.
func insert(s *session, query string, blocks io.Reader) error {
	if !nativeFormat.MatchString(query) {
		return fmt.Errorf("inserts come in the format Native here, not as %q", query)
	}
	file, err := os.CreateTemp("", "clickhouse-insert")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }()
	_, err = io.Copy(file, blocks)
	if err := errors.Join(err, file.Close()); err != nil {
		return err // half an insert is none
	}
	query = nativeFormat.ReplaceAllLiteralString(query, "") + " FROM INFILE " + literal(file.Name()) + " FORMAT Native"
	_, err = s.run(query)
	return err
}

func decompressed(body io.Reader, parameters url.Values) io.Reader {
	if parameters.Get("decompress") == "1" {
		return compress.NewReader(body)
	}
	return body
}

// recode turns blocks of revision 0 into those that the client reads.
func recode(answer []byte, parameters url.Values) ([]byte, error) {
	named := parameters.Get("client_protocol_version")
	if named == "" || len(answer) == 0 {
		return answer, nil
	}
	revision, err := strconv.ParseUint(named, 10, 64)
	if err != nil {
		return nil, err
	}
	reader := chproto.NewReader(bytes.NewReader(answer))
	var buffer chproto.Buffer
	for {
		block := proto.NewBlock()
		switch err := block.Decode(reader, 0); {
		case errors.Is(err, io.EOF):
			return compressed(buffer.Buf, parameters)
		case err != nil:
			return nil, fmt.Errorf("read the engine's answer: %w", err)
		}
		if err := block.Encode(&buffer, revision); err != nil {
			return nil, fmt.Errorf("encode the answer: %w", err)
		}
	}
}

func compressed(answer []byte, parameters url.Values) ([]byte, error) {
	if parameters.Get("compress") != "1" {
		return answer, nil
	}
	method := compress.LZ4
	if strings.EqualFold(parameters.Get("network_compression_method"), "ZSTD") {
		method = compress.ZSTD
	}
	writer := compress.NewWriter(compress.LevelZero, method)
	if err := writer.Compress(answer); err != nil {
		return nil, err
	}
	return writer.Data, nil
}
