package ingest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sundew"
)

// unwrapped shows what a line holds, bad records with their reason; nil: it is one record.
func unwrapped(line string) (records []string) {
	unwrap([]byte(line), func(record []byte, bad *LineError) {
		if bad != nil {
			records = append(records, fmt.Sprintf("%s: %.40s", bad.Reason, record))
			return
		}
		records = append(records, string(record))
	})
	return records
}

func quotedJSON(text string) string {
	quoted, _ := json.Marshal(text) // strings always encode
	return string(quoted)
}

// firehose is the body that Amazon Data Firehose posts to an HTTP endpoint.
func firehose(records ...string) string {
	list := make([]string, len(records))
	for i, r := range records {
		list[i] = `{"data":"` + base64.StdEncoding.EncodeToString([]byte(r)) + `"}`
	}
	return `{"requestId":"ed1d787c-b9e2-4631-92dc-8e7c9d26d804","timestamp":1764000000000,"records":[` + strings.Join(list, ",") + `]}`
}

// cloudWatch is what a subscription of CloudWatch Logs sends.
func cloudWatch(kind string, messages ...string) string {
	list := make([]string, len(messages))
	for i, m := range messages {
		list[i] = fmt.Sprintf(`{"id":"%d","timestamp":1764000000000,"message":%s}`, i, quotedJSON(m))
	}
	return `{"messageType":"` + kind + `","owner":"111122223333","logGroup":"api","logStream":"a","subscriptionFilters":["all"],"logEvents":[` + strings.Join(list, ",") + `]}`
}

func TestLinesWithSeveralRecords(t *testing.T) {
	packed := func(text string) string { return string(gzipped(t, text)) }
	record := func(s string) string { return fmt.Sprintf(`{"data":%q}`, s) }
	broken := base64.StdEncoding.EncodeToString([]byte(packed(strings.Repeat("line\n", 50)))[:30])
	tests := []struct {
		name, line string
		want       []string // nil: one record
	}{
		{"Azure", `{"records":[{"time":"t","a":[1,{"b":"]"}]}, {"x":2} ]}`, []string{`{"time":"t","a":[1,{"b":"]"}]}`, `{"x":2}`}},
		{"with white space", "{ \"records\" : [ {\"a\":1} ,\t{\"b\":2} ] }", []string{`{"a":1}`, `{"b":2}`}},
		{"no records", `{"records":[]}`, []string{""}},
		{"records that are none", `{"records":[1,"text",null,[]]}`, []string{"1", `"text"`, "null", "[]"}},
		{"a line cut off", `{"records":[{"a":1},{"b":`, []string{`{"a":1}`, `JSON cannot be read: {"b":`}},
		{"a comma too many", `{"records":[{"a":1},]}`, []string{`{"a":1}`, "JSON cannot be read: ]}"}},
		{"rubbish between", `{"records":[{"a":1} {"b":2}]}`, []string{`{"a":1}`, `JSON cannot be read: {"b":2}]}`}},

		{"Firehose", firehose("one", "two\nthree\n", "four\r\n"), []string{"one", "two", "three", "four"}},
		{"Firehose, gzip", firehose(packed("one\ntwo\n")), []string{"one", "two"}},
		{"Firehose, bad base64 between good ones", `{"requestId":"1","records":[{"data":"b25l"},{"data":"***"},{"data":"dHdv"}]}`, []string{"one", `record cannot be decoded: {"data":"***"}`, "two"}},
		{"Firehose, damaged gzip", `{"requestId":"1","records":[` + record(broken) + `,{"data":"dHdv"}]}`, []string{"record cannot be decoded: " + record(broken)[:40], "two"}},
		{"Firehose with CloudWatch", firehose(packed(cloudWatch("DATA_MESSAGE", "one", "two"))), []string{"one", "two"}},
		{"an access log that begins with a request id", `{"requestId":"1","ip":"192.0.2.7","records":"none"}`, nil},

		{"CloudWatch", cloudWatch("DATA_MESSAGE", nginxLine, `{"a":"b"}`), []string{nginxLine, `{"a":"b"}`}},
		{"CloudWatch, a test of the subscription", cloudWatch("CONTROL_MESSAGE", "CWL CONTROL MESSAGE: Checking health of destination"), []string{""}},
		{"CloudWatch, an event without a message", `{"messageType":"DATA_MESSAGE","logEvents":[{"id":"1"},{"message":"two"},{"message":3}]}`, []string{`log event without a message: {"id":"1"}`, "two", `log event without a message: {"message":3}`}},
		{"Lambda", `{"awslogs":{"data":"` + base64.StdEncoding.EncodeToString([]byte(packed(cloudWatch("DATA_MESSAGE", "one")))) + `"}}`, []string{"one"}},
		{"Lambda without data", `{"awslogs":{"data":7}}`, nil},

		{"canonical JSON", jsonLine, nil},
		{"a key that is called records and holds a number", `{"records":3,"timestamp":"t"}`, nil},
		{"text", nginxLine, nil},
		{"nothing", "", nil},
		{"cut in the first key", `{"recor`, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := unwrapped(test.line); !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %q\nwant %q", got, test.want)
			}
		})
	}
}

func TestOneLineHoldsABoundedNumberOfRecords(t *testing.T) {
	got := unwrapped(`{"records":[` + strings.Repeat(`{},`, maxRecords+50) + `{}]}`)
	if len(got) != maxRecords+1 || got[maxRecords-1] != "{}" || got[maxRecords] != reasonManyRecords+": {}" {
		t.Errorf("%d records, the last %q", len(got), got[len(got)-1])
	}
	bomb := base64.StdEncoding.EncodeToString(gzipped(t, strings.Repeat("a", 3*maxUnwrapped)))
	got = unwrapped(`{"records":[{"data":"b25l"},{"data":"` + bomb + `"},{"data":"dHdv"}]}`)
	if len(got) != 2 || got[0] != "one" || !strings.HasPrefix(got[1], reasonInflated) {
		t.Errorf("a bomb gives %.80q", got)
	}
	quarter := base64.StdEncoding.EncodeToString(gzipped(t, strings.Repeat("a", maxUnwrapped/4)))
	got = unwrapped(`{"records":[` + strings.Repeat(`{"data":"`+quarter+`"},`, 5) + `{"data":"dHdv"}]}`)
	if len(got) != 5 || !strings.HasPrefix(got[4], reasonInflated) {
		t.Errorf("five quarters give %d records, want 4 and a refusal", len(got))
	}
	deep := "line"
	for range maxWraps + 1 {
		deep = firehose(deep)
	}
	if got := unwrapped(deep); len(got) != 1 || !strings.HasPrefix(got[0], `{"requestId"`) {
		t.Errorf("what is wrapped too often gives %.80q", got)
	}
}

// TestRecordsOfOneLineAreLines posts what Azure sends, twice as a gateway would, and the same with other records.
func TestRecordsOfOneLineAreLines(t *testing.T) {
	url, kafka, _ := listening(t, func(*ListenerConfig) {})
	body := `{"records":[` + jsonLine + `,{},` + jsonLine + `]}` + "\n" + cloudWatch("DATA_MESSAGE", nginxLine, "rubbish") + "\n" + jsonLine
	stamp := map[string]string{"Sundew-Gateway": "gw-1", "Sundew-Epoch": "7", "Sundew-Sequence": "40"}
	for range 2 {
		status, answer, _ := send(t, url, []byte(body), stamp)
		if status != http.StatusAccepted || answer["accepted"] != 4.0 || answer["rejected"] != 2.0 {
			t.Fatalf("%d %v, want 4 records accepted and 2 rejected", status, answer)
		}
	}
	after := event(func(e *sundew.Event) { e.Gateway, e.GatewayEpoch, e.GatewaySequence = "gw-1", 7, 46 })
	send(t, url, after.AppendJSON(nil), nil)

	events, _ := take(within10s(t), t, open(t, kafka, TopicRequests, 0, LogStart, TopicOptions{}), 5)
	var sequences []uint64
	for _, e := range events {
		sequences = append(sequences, e.GatewaySequence)
	}
	if want := []uint64{40, 42, 43, 45, 46}; !slices.Equal(sequences, want) {
		t.Errorf("sequences %v, want %v: each record counts once", sequences, want)
	}
	var lines []string
	err := ScanDeadLetters(t.Context(), kafka, DeadLetterFilter{}, func(letters []sundew.DeadLetter) error {
		for _, l := range letters {
			lines = append(lines, l.Line)
		}
		return nil
	})
	if want := []string{"{}", "rubbish"}; err != nil || !slices.Equal(lines, want) {
		t.Errorf("dead letters %q, %v, want %q", lines, err, want)
	}
}

func TestFilesHoldLinesWithSeveralRecords(t *testing.T) {
	content := firehose(nginxLine, "rubbish\n"+nginxLine) + "\n" + `{"records":[` + jsonLine + `,{"cut`
	files, err := OpenFiles([]string{write(t, "a.log", []byte(content))}, FileConfig{})
	if err != nil {
		t.Fatal(err)
	}
	all, _ := drain(t.Context(), files)
	var offsets []int64
	for _, e := range all.Events {
		offsets = append(offsets, e.Offset)
	}
	if want := []int64{0, 2, 3}; !slices.Equal(offsets, want) || all.Position.Next != 5 {
		t.Errorf("events at %v up to %d, want %v up to 5", offsets, all.Position.Next, want)
	}
	if len(all.Rejected) != 2 || all.Rejected[0].Line != "rubbish" || all.Rejected[0].Offset != 0 || all.Rejected[1].Line != `{"cut` || all.Rejected[1].Offset != 1 {
		t.Errorf("rejected %+v", all.Rejected)
	}
	if s := files.Stats(); s.Lines != 5 || s.Parsed != 3 || s.Rejected["JSON cannot be read"] != 1 {
		t.Errorf("%+v", s)
	}
}

// FuzzUnwrap holds unwrap to its bounds, and lists of records to what encoding/json makes of them.
func FuzzUnwrap(f *testing.F) {
	f.Add([]byte(`{"records":[{"time":"t","a":[1,{"b":"]"}]}, {"x":2} ]}`))
	f.Add([]byte(firehose("one", "two\nthree", string(gzipped(f, cloudWatch("DATA_MESSAGE", "a"))))))
	f.Add([]byte(cloudWatch("DATA_MESSAGE", nginxLine, `{"a":"b"}`)))
	f.Add([]byte(cloudWatch("CONTROL_MESSAGE", "health")))
	f.Add([]byte(`{"awslogs":{"data":"b25l"}}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		var got [][]byte
		size, good := 0, true
		several := unwrap(line, func(record []byte, bad *LineError) {
			got = append(got, bytes.Clone(record))
			size += len(record)
			good = good && bad == nil
		})
		if several != (len(got) > 0) || len(got) > maxRecords+1 || size > maxUnwrapped+2*len(line) {
			t.Fatalf("%d records of %d bytes, several %v", len(got), size, several)
		}
		var slow struct{ Records []json.RawMessage }
		rest, isList := bytes.CutPrefix(line, []byte(`{"records":`))
		if !isList || !json.Valid(line) || bytes.ContainsAny(rest, `\`) || bytes.Contains(rest, []byte(`"data"`)) || json.Unmarshal(append([]byte(`{"Records":`), rest...), &slow) != nil {
			return
		}
		if n := bytes.Count(bytes.ToLower(rest), []byte("records")); n > 0 || slow.Records == nil || len(slow.Records) > maxRecords {
			return // a second list, or none
		}
		want := make([][]byte, 0, 1)
		for _, r := range slow.Records {
			want = append(want, r)
		}
		if len(want) == 0 {
			want = append(want, []byte{})
		}
		if !good || !slices.EqualFunc(got, want, bytes.Equal) {
			t.Fatalf("got %q\nwant %q", got, want)
		}
	})
}
