package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"sundew"
	"sundew/ingest"
	"sundew/store"
)

// verification is what sundew verify found. Problems is empty where log, store and acknowledgements agree.
type verification struct {
	Partitions   []partitionReport     `json:"partitions"`
	Total        store.Agreement       `json:"total"`
	Letters      store.LetterAgreement `json:"dead_letters"`
	Again        int64                 `json:"counted_again"` // rows beyond the first of their stamp
	Acknowledged *acknowledged         `json:"acknowledged,omitempty"`
	Problems     []string              `json:"problems"`
}

// partitionReport compares the offsets of a partition, First up to Next, with the store, which has come to Reached.
type partitionReport struct {
	Partition int32 `json:"partition"`
	First     int64 `json:"first"`
	Next      int64 `json:"next"`
	Reached   int64 `json:"reached"`
	store.Agreement
}

// acknowledged compares a list of acknowledged stamps with the store. Stamps is the sum of the others.
type acknowledged struct {
	Stamps  uint64 `json:"stamps"`
	Stored  uint64 `json:"stored"`
	Letters uint64 `json:"letters"`
	Missing uint64 `json:"missing"`
}

func runVerify(ctx context.Context, flags *flag.FlagSet, args []string, t terminal) error {
	configFile := flags.String("config", "", "configuration `file`: that of the sundew run whose log and store are meant")
	list := flags.String("acknowledged", "", "`file` of acknowledged stamps, which must be in the store: GATEWAY EPOCH SEQUENCE or FIRST-LAST on each line")
	asJSON := flags.Bool("json", false, "print one JSON object")
	if _, err := parseFlags(flags, args, 0, 0); err != nil {
		return err
	}
	c, err := loadConfig(*configFile)
	if err != nil {
		return err
	}
	var stamps []store.Stamps
	if *list != "" {
		if stamps, err = readStamps(*list); err != nil {
			return err
		}
	}
	found, err := verify(ctx, c, stamps, t)
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	if err := found.print(t.out, *asJSON); err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	if len(found.Problems) > 0 {
		return fmt.Errorf("verify: the log and the store differ:\n  %s", strings.Join(found.Problems, "\n  "))
	}
	return nil
}

// verifyTimeout bounds one question to a store of months.
const verifyTimeout = time.Hour

// verify opens the store and the log of a sundew run that has stopped.
func verify(ctx context.Context, c Config, stamps []store.Stamps, t terminal) (found verification, err error) {
	if c.Store.ClickHouse.DSN != "" {
		return found, errors.New("the configuration names a ClickHouse, and only a store of DuckDB can be compared so far")
	}
	path := c.storePath()
	if _, err := os.Stat(path); err != nil {
		return found, fmt.Errorf("no store at %s: name the configuration of the sundew run with --config, or run this where its data_dir lies", path)
	}
	c.Store.Path, c.Store.QueryTimeout = path, verifyTimeout
	log := c.Log.logger(t.err)
	db, err := store.OpenDuckDB(ctx, c.Store.DuckDBConfig, log)
	if err != nil {
		return found, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if len(c.Kafka.Brokers) == 0 {
		c.Broker.Port = 0 // nobody else is to find it
		address, closeBroker, err := startBroker(ctx, c.Broker, c.DataDir, log)
		if err != nil {
			return found, err
		}
		defer closeBroker()
		c.Kafka.Brokers = []string{address}
	}
	compared, err := db.Verify(ctx)
	if err != nil {
		return found, err
	}
	r := comparison{config: c, verifier: compared}
	if err := r.run(ctx, stamps); err != nil {
		return found, err
	}
	r.judge(path)
	return r.found, nil
}

// comparison is one run of verify.
type comparison struct {
	config   Config
	verifier *store.Verifier
	found    verification
}

func (r *comparison) run(ctx context.Context, stamps []store.Stamps) error {
	err := ingest.ScanDeadLetters(ctx, r.config.Kafka, ingest.DeadLetterFilter{Replayed: true}, func(letters []sundew.DeadLetter) error {
		some, err := r.verifier.Letters(ctx, letters)
		r.found.Letters.Add(some)
		return err
	})
	if err != nil {
		return err
	}
	partitions, err := ingest.Partitions(ctx, r.config.Kafka, ingest.TopicRequests)
	if err != nil {
		return err
	}
	for p := range int32(partitions) {
		if err := r.partition(ctx, p); err != nil {
			return err
		}
	}
	if r.found.Again, err = r.verifier.Twice(ctx); err != nil || stamps == nil {
		return err
	}
	return r.acknowledged(ctx, stamps)
}

func (r *comparison) partition(ctx context.Context, p int32) (err error) {
	report := partitionReport{Partition: p, Reached: r.verifier.Reached(p)}
	report.First, report.Next, err = ingest.ScanRequests(ctx, r.config.Kafka, p, ingest.TopicOptions{MaxAhead: r.config.Ingest.MaxAhead}, func(b sundew.Batch) error {
		some, err := r.verifier.Records(ctx, b)
		report.Add(some)
		return err
	})
	r.found.Partitions = append(r.found.Partitions, report)
	r.found.Total.Add(report.Agreement)
	return err
}

// acknowledged looks for the rows of stamps, and for the letters of lines that could not be read.
func (r *comparison) acknowledged(ctx context.Context, stamps []store.Stamps) error {
	a := &acknowledged{}
	for _, s := range stamps {
		rows, err := r.verifier.Stamped(ctx, s)
		if err != nil {
			return err
		}
		partition, first := ingest.StampPlace(s.Gateway, s.Epoch, s.First)
		letters, err := r.verifier.LettersBetween(ctx, partition, first, first+int64(s.Last-s.First))
		if err != nil {
			return err
		}
		n := s.Last - s.First + 1
		letters = min(letters, n-rows)
		a.Stamps += n
		a.Stored += rows
		a.Letters += letters
		a.Missing += n - rows - letters
	}
	r.found.Acknowledged = a
	return nil
}

// judge says what is wrong and what to do.
func (r *comparison) judge(path string) {
	problem := func(n int64, format string, args ...any) {
		if n > 0 {
			r.found.Problems = append(r.found.Problems, fmt.Sprintf("%d "+format, append([]any{n}, args...)...))
		}
	}
	r.found.Problems = []string{}
	rebuild := fmt.Sprintf("move %s away and start sundew run, which builds it anew from the log", path)
	const catchUp = "start sundew run, let it catch up, stop it and verify again"
	for _, p := range r.found.Partitions {
		if p.Reached > 0 {
			problem(p.First-p.Reached, "records of partition %d left the log before the store had them: raise the retention of topic %s, and keep sundew run running", p.Partition, ingest.TopicRequests)
		}
		problem(p.Reached-p.Next, "offsets of partition %d are stored that the log does not have: the topic was made anew; %s", p.Partition, rebuild)
	}
	total := r.found.Total
	problem(total.Missing, "records have neither a row nor a dead letter%s: %s; if they are still missing then, report it", r.first("missing"), rebuild)
	problem(total.Twice, "rows stand for a record that has one already%s: %s", r.first("twice"), rebuild)
	problem(total.Strange, "rows stand where the log has no request%s: verify with the configuration under which they were recorded, or %s", r.first("strange"), rebuild)
	problem(r.found.Again-total.Twice, "requests are counted again: a gateway sent them more than half a million records later, or the store lost its place; send again sooner, and %s", rebuild)
	problem(total.Behind, "records are in the log and not yet in the store: %s", catchUp)
	problem(r.found.Letters.Missing, "dead letters are in their topic and not in the store: %s", catchUp)
	if a := r.found.Acknowledged; a != nil {
		problem(int64(min(a.Missing, math.MaxInt64)), "acknowledged stamps are neither rows nor dead letters: if records are behind, %s; if not, the broker has lost them: see broker.sync_writes, or min.insync.replicas of topic %s", catchUp, ingest.TopicRequests)
	}
}

// first names the place of the first fault of its kind.
func (r *comparison) first(what string) string {
	i := slices.IndexFunc(r.found.Total.Faults, func(f store.Fault) bool { return f.What == what })
	if i < 0 {
		return ""
	}
	f := r.found.Total.Faults[i]
	return fmt.Sprintf(", the first at partition %d offset %d", f.Partition, f.Offset)
}

func (v *verification) print(out io.Writer, asJSON bool) error {
	if asJSON {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(v)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "partition\trecords\tstored\trepeats\tletters\tother\texpired\tbehind\tmissing\ttwice\tstrange\t")
	line := func(name string, a store.Agreement) {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n", name, a.Records, a.Stored, a.Repeats, a.Letters, a.Other, a.Expired, a.Behind, a.Missing, a.Twice, a.Strange)
	}
	for _, p := range v.Partitions {
		line(fmt.Sprint(p.Partition), p.Agreement)
	}
	line("all", v.Total)
	if err := table.Flush(); err != nil {
		return err
	}
	l := v.Letters
	fmt.Fprintf(out, "\ndead letters   %d: %d stored, %d replayed, %d expired, %d missing\ncounted again  %d\n", l.Letters, l.Stored, l.Replayed, l.Expired, l.Missing, v.Again)
	if a := v.Acknowledged; a != nil {
		fmt.Fprintf(out, "acknowledged   %d: %d stored, %d dead letters, %d missing\n", a.Stamps, a.Stored, a.Letters, a.Missing)
	}
	return nil
}

// readStamps reads a list of stamps and joins those that follow each other or are there twice.
func readStamps(path string) ([]store.Stamps, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("acknowledged stamps: %w", err)
	}
	defer file.Close()
	list := []store.Stamps{}
	lines := bufio.NewScanner(file)
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" || text[0] == '#' {
			continue
		}
		s, ok := parseStamps(text)
		if !ok {
			return nil, fmt.Errorf("%s:%d: %.80q is no stamp: want GATEWAY EPOCH SEQUENCE or GATEWAY EPOCH FIRST-LAST, all numbers above 0", path, n, text)
		}
		list = append(list, s)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("acknowledged stamps: %s: %w", path, err)
	}
	return joined(list), nil
}

// parseStamps reads a line; the name of a gateway may hold blanks.
func parseStamps(text string) (s store.Stamps, ok bool) {
	words := strings.Fields(text)
	if len(words) < 3 {
		return s, false
	}
	last := len(words) - 1
	first, end, isRange := strings.Cut(words[last], "-")
	if !isRange {
		end = first
	}
	numbers := []*uint64{&s.Epoch, &s.First, &s.Last}
	for i, word := range []string{words[last-1], first, end} {
		n, err := strconv.ParseUint(word, 10, 64)
		if err != nil || n == 0 {
			return s, false
		}
		*numbers[i] = n
	}
	s.Gateway = strings.TrimSpace(text[:strings.LastIndex(text[:strings.LastIndex(text, words[last])], words[last-1])])
	return s, s.First <= s.Last
}

func joined(list []store.Stamps) []store.Stamps {
	slices.SortFunc(list, func(a, b store.Stamps) int {
		return cmp.Or(cmp.Compare(a.Gateway, b.Gateway), cmp.Compare(a.Epoch, b.Epoch), cmp.Compare(a.First, b.First))
	})
	kept := list[:0]
	for _, s := range list {
		if n := len(kept); n > 0 && kept[n-1].Gateway == s.Gateway && kept[n-1].Epoch == s.Epoch && s.First-1 <= kept[n-1].Last {
			kept[n-1].Last = max(kept[n-1].Last, s.Last)
			continue
		}
		kept = append(kept, s)
	}
	return kept
}
