package ingest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"strconv"
	"strings"

	collector "go.opentelemetry.io/proto/slim/otlp/collector/logs/v1"
	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	logs "go.opentelemetry.io/proto/slim/otlp/logs/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// OTLPPath is where exporters of the OpenTelemetry protocol post logs by default (OTLP 1.9.0, OTLP/HTTP).
const OTLPPath = "/v1/logs"

const (
	typeProtobuf = "application/x-protobuf"
	typeJSON     = "application/json"
)

// serveOTLP takes an ExportLogsServiceRequest, protobuf or JSON. It answers as /ingest/v1/logs does, in the protocol's
// words: 200 with the number of rejected records once the broker has acknowledged all, 503 for what may be sent again.
func (l *listener) serveOTLP(w http.ResponseWriter, r *http.Request) {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	taken, no := l.take(w, r, func(body []byte) ([]byte, *refusal) {
		lines, err := otlpLines(body, kind)
		if err != nil {
			return nil, refuse(http.StatusBadRequest, "the body is no ExportLogsServiceRequest: %v", err)
		}
		return lines, nil
	})
	if kind != typeProtobuf {
		kind = typeJSON
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-store")
	if no != nil {
		l.refuse(w, no, otlpStatus(kind, no.text))
		return
	}
	answer := &collector.ExportLogsServiceResponse{}
	if taken.Rejected > 0 {
		reasons, _ := json.Marshal(taken.Reasons) // a map of numbers always encodes
		answer.PartialSuccess = &collector.ExportLogsPartialSuccess{
			RejectedLogRecords: int64(taken.Rejected), ErrorMessage: string(reasons),
		}
	}
	text, err := proto.Marshal(answer)
	if kind == typeJSON {
		text, err = protojson.Marshal(answer)
	}
	if err != nil {
		l.refuse(w, refuse(http.StatusInternalServerError, "the answer cannot be encoded"), nil)
		return
	}
	l.metrics.answers.WithLabelValues("200").Inc()
	_, _ = w.Write(text)
}

// otlpStatus is a google.rpc.Status with a message alone.
func otlpStatus(kind, message string) []byte {
	if kind == typeProtobuf {
		return protowire.AppendString(protowire.AppendTag(nil, 2, protowire.BytesType), message)
	}
	text, _ := json.Marshal(map[string]string{"message": message}) // strings always encode
	return text
}

// otlpLines makes one line of each log record: the body where it is a text and the attributes do not name a client, which
// is how agents ship files; otherwise an object of the attributes, those of the resource with resource. in front.
func otlpLines(body []byte, kind string) ([]byte, error) {
	var request collector.ExportLogsServiceRequest
	var err error
	switch kind {
	case typeProtobuf:
		err = proto.Unmarshal(body, &request)
	case typeJSON:
		err = protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(body, &request)
	default:
		err = errors.New("want the Content-Type " + typeProtobuf + " or " + typeJSON)
	}
	if err != nil {
		return nil, err
	}
	var lines []byte
	for _, resource := range request.GetResourceLogs() {
		for _, scope := range resource.GetScopeLogs() {
			for _, record := range scope.GetLogRecords() {
				lines = append(otlpLine(lines, record, resource.GetResource().GetAttributes()), '\n')
			}
		}
	}
	return lines, nil
}

func otlpLine(dst []byte, record *logs.LogRecord, resource []*common.KeyValue) []byte {
	object := otlpObject{dst: append(dst, '{')}
	object.attributes("", record.GetAttributes(), 0)
	if text, ok := record.GetBody().GetValue().(*common.AnyValue_StringValue); ok {
		if !object.client {
			return append(dst, bytes.ReplaceAll([]byte(strings.TrimSpace(text.StringValue)), []byte("\n"), []byte(" "))...)
		}
		object.value("body", record.GetBody(), 0)
	} else {
		object.attributes("", record.GetBody().GetKvlistValue().GetValues(), 0)
	}
	object.attributes("resource.", resource, 0)
	if at := cmp.Or(record.GetTimeUnixNano(), record.GetObservedTimeUnixNano()); at > 0 && !object.time {
		object.member("timestamp", strconv.FormatUint(at, 10))
	}
	return append(object.dst, '}')
}

// otlpObject appends members of a JSON object.
type otlpObject struct {
	dst          []byte
	members      int
	client, time bool // whether a member says who the client was, and when
}

// attributes appends a list, the members of nested lists with their keys joined by dots, to the depth that decoders read.
func (o *otlpObject) attributes(prefix string, list []*common.KeyValue, depth int) {
	for _, kv := range list {
		o.value(prefix+kv.GetKey(), kv.GetValue(), depth)
	}
}

func (o *otlpObject) value(key string, v *common.AnyValue, depth int) {
	switch v := v.GetValue().(type) {
	case *common.AnyValue_StringValue:
		o.member(key, jsonText(v.StringValue))
	case *common.AnyValue_BoolValue:
		o.member(key, strconv.FormatBool(v.BoolValue))
	case *common.AnyValue_IntValue:
		o.member(key, strconv.FormatInt(v.IntValue, 10))
	case *common.AnyValue_DoubleValue:
		if text, err := json.Marshal(v.DoubleValue); err == nil { // no NaN
			o.member(key, string(text))
		}
	case *common.AnyValue_BytesValue:
		o.member(key, jsonText(string(v.BytesValue)))
	case *common.AnyValue_ArrayValue:
		if values := v.ArrayValue.GetValues(); len(values) > 0 { // conventions put headers into arrays of one
			o.value(key, values[0], depth)
		}
	case *common.AnyValue_KvlistValue:
		if depth < maxDepth {
			o.attributes(key+".", v.KvlistValue.GetValues(), depth+1)
		}
	}
}

func (o *otlpObject) member(key, text string) {
	if o.members > 0 {
		o.dst = append(o.dst, ',')
	}
	o.members++
	o.dst = append(append(append(o.dst, jsonText(key)...), ':'), text...)
	if f := fields[key]; f != nil {
		o.client = o.client || f.slot == slotClient || f.slot == slotForwarded
		o.time = o.time || f.slot == slotTime
	}
}

func jsonText(s string) string {
	text, _ := json.Marshal(s) // strings always encode
	return string(text)
}
