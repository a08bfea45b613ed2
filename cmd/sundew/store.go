package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/user"
	"time"

	"sundew"
	"sundew/store"
)

// openStore opens the store to change it. It is never made out of a mistyped path.
func (f storeFlags) openStore(ctx context.Context) (*store.DuckDB, Config, error) {
	c, err := f.loadFile()
	if err != nil {
		return nil, c, err
	}
	if _, err := os.Stat(c.Store.Path); err != nil {
		return nil, c, fmt.Errorf("store: %w: check the path, or start sundew run, which makes one", err)
	}
	d, err := store.OpenDuckDB(ctx, c.Store.DuckDBConfig, quietLog())
	return d, c, err
}

// loadFile is load for what only a store in a file can do.
func (f storeFlags) loadFile() (Config, error) {
	c, err := f.load()
	if err == nil && *f.file == "" && c.Store.ClickHouse.DSN != "" {
		err = errors.New("the configured store is a ClickHouse, and this is for stores in a file alone: a ClickHouse is brought up to date when it is opened, and removes what is old by itself")
	}
	return c, err
}

func runStoreMigrate(ctx context.Context, flags *flag.FlagSet, args []string, t terminal) error {
	f := newStoreFlags(flags)
	if _, err := parseFlags(flags, args, 0, 0); err != nil {
		return err
	}
	d, c, err := f.openStore(ctx)
	if err != nil {
		return err
	}
	from := d.MigratedFrom()
	if err := d.Close(); err != nil {
		return err
	}
	fmt.Fprintf(t.out, "%s: schema %d, was %d\n", c.Store.Path, store.SchemaVersion(), from)
	return nil
}

func runStoreCheck(ctx context.Context, flags *flag.FlagSet, args []string, t terminal) error {
	f := newStoreFlags(flags)
	asJSON := flags.Bool("json", false, "one JSON object")
	if _, err := parseFlags(flags, args, 0, 0); err != nil {
		return err
	}
	c, err := f.loadFile()
	if err != nil {
		return err
	}
	d, err := store.OpenDuckDBReadOnly(ctx, c.Store.DuckDBConfig, quietLog())
	if err != nil {
		return fmt.Errorf("store check: %w", err)
	}
	defer func() { _ = d.Close() }() // it only read
	health, err := d.Check(ctx)
	if err != nil {
		return fmt.Errorf("store check: %w", err)
	}
	if *asJSON {
		err = json.NewEncoder(t.out).Encode(health)
	} else {
		err = printHealth(t, c.Store.Path, health)
	}
	return errors.Join(err, faultsOf(health))
}

func printHealth(t terminal, path string, h store.Health) error {
	fmt.Fprintf(t.out, "%s: schema %d, %d bytes\n\n", path, h.Schema, h.Bytes)
	tables, err := fill("tables", []string{"table", "rows", "oldest", "newest", "retention", "beyond_retention"}, h.Tables, func(h *store.TableHealth) []any {
		keep := "for ever"
		if h.Retention > 0 {
			keep = h.Retention.String()
		}
		return []any{h.Name, h.Rows, h.Oldest, h.Newest, keep, h.Beyond}
	})
	if err != nil {
		return err
	}
	columns := []string{"partition", "next", "scores_next", "evaluations_next", "events", "first", "last", "repeated", "absent", "longest_gap", "behind"}
	partitions, err := fill("partitions", columns, h.Partitions, func(p *store.PartitionHealth) []any {
		return []any{p.Partition, p.Next, p.ScoresNext, p.EvaluationsNext, p.Events, p.First, p.Last, p.Repeated, p.Absent, p.LongestGap, p.GapAfter}
	})
	if err != nil {
		return err
	}
	return printTables(t, []table{tables, partitions}, false, false)
}

// faultsOf is what must not be.
func faultsOf(h store.Health) error {
	var faults []error
	for _, p := range h.Partitions {
		if p.Repeated > 0 {
			faults = append(faults, fmt.Errorf("partition %d: %d events are stored twice", p.Partition, p.Repeated))
		}
	}
	if h.Audit != "" {
		faults = append(faults, fmt.Errorf("audit: %s: somebody wrote to it without sundew", h.Audit))
	}
	return errors.Join(faults...)
}

func runStoreRetention(ctx context.Context, flags *flag.FlagSet, args []string, t terminal) error {
	f := newStoreFlags(flags)
	if _, err := parseFlags(flags, args, 0, 0); err != nil {
		return err
	}
	d, c, err := f.openStore(ctx)
	if errors.Is(err, store.ErrInUse) {
		return fmt.Errorf("%w: sundew run itself removes what is old, once an hour", err)
	}
	if err != nil {
		return err
	}
	removed, err := d.Prune(ctx)
	if err := errors.Join(err, d.Close()); err != nil {
		return fmt.Errorf("store retention: %w", err)
	}
	fmt.Fprintf(t.out, "%s: removed %d rows\n", c.Store.Path, removed)
	return nil
}

// personFlags are the ones that erase and export have in common.
type personFlags struct {
	storeFlags
	server, by *string
}

func newPersonFlags(flags *flag.FlagSet) personFlags {
	return personFlags{
		storeFlags: newStoreFlags(flags),
		server:     flags.String("server", "", "`URL` of the sundew run that has the store open, instead of the configured one"),
		by:         flags.String("by", loginName(), "`name` of who asks for it, for the audit"),
	}
}

func loginName() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return ""
}

// personRequest is what a process that has the store open is asked.
type personRequest struct {
	Entity string `json:"entity"` // kind:key
	By     string `json:"by"`
}

func (p personFlags) request(words []string) (r personRequest, who sundew.Entity, err error) {
	who, err = sundew.ParseEntity(words[0])
	if err != nil {
		return r, who, usageError{err.Error() + ": want kind:key, such as account:u17 or ip:192.0.2.7"}
	}
	if *p.by == "" {
		return r, who, usageError{"--by is empty: the audit must say who asks"}
	}
	return personRequest{who.String(), *p.by}, who, nil
}

// withStore does the work on the store, or asks the process that has it open and copies its answer.
func (p personFlags) withStore(ctx context.Context, action string, r personRequest, out io.Writer, work func(*store.DuckDB) error) error {
	d, c, err := p.openStore(ctx)
	base := *p.server
	if errors.Is(err, store.ErrInUse) && base == "" {
		var unknown error
		if base, unknown = c.console(); unknown != nil {
			return fmt.Errorf("%w; %w", err, unknown)
		}
	}
	if base != "" {
		if d != nil {
			err = d.Close()
			return errors.Join(err, usageError{"--server: no process has the store open: leave it out"})
		}
		return postPerson(ctx, base, action, r, out)
	}
	if err != nil {
		return err
	}
	return errors.Join(work(d), d.Close())
}

func runStoreErase(ctx context.Context, flags *flag.FlagSet, args []string, t terminal) error {
	f := newPersonFlags(flags)
	words, err := parseFlags(flags, args, 1, 1)
	if err != nil {
		return err
	}
	r, who, err := f.request(words)
	if err != nil {
		return err
	}
	var answer bytes.Buffer
	err = f.withStore(ctx, "erase", r, &answer, func(d *store.DuckDB) error { return erase(ctx, d, who, r.By, &answer) })
	if err != nil {
		return fmt.Errorf("store erase: %w", err)
	}
	_, err = answer.WriteTo(t.out)
	fmt.Fprintln(t.err, "The log, its backups and copies elsewhere have retentions of their own; requests that come later are new ones.")
	return err
}

func erase(ctx context.Context, from store.Keeper, who sundew.Entity, by string, out io.Writer) error {
	erased, err := from.Erase(ctx, who, by, time.Now().UTC())
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(erased)
}

func runStoreExport(ctx context.Context, flags *flag.FlagSet, args []string, t terminal) error {
	f := newPersonFlags(flags)
	words, err := parseFlags(flags, args, 1, 1)
	if err != nil {
		return err
	}
	r, who, err := f.request(words)
	if err != nil {
		return err
	}
	err = f.withStore(ctx, "export", r, t.out, func(d *store.DuckDB) error { return export(ctx, d, who, r.By, t.out) })
	if err != nil {
		return fmt.Errorf("store export: %w", err)
	}
	return nil
}

// export writes NDJSON, one record a line.
func export(ctx context.Context, from store.Keeper, who sundew.Entity, by string, out io.Writer) error {
	w := bufio.NewWriter(out)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	err := from.Export(ctx, who, by, time.Now().UTC(), func(r store.Record) error { return encoder.Encode(r) })
	return errors.Join(err, w.Flush())
}

func runStoreAudit(ctx context.Context, flags *flag.FlagSet, args []string, t terminal) error {
	f := newStoreFlags(flags)
	limit := flags.Int("limit", 100, "newest entries")
	if _, err := parseFlags(flags, args, 0, 0); err != nil {
		return err
	}
	c, err := f.loadFile()
	if err != nil {
		return err
	}
	d, err := store.OpenDuckDBReadOnly(ctx, c.Store.DuckDBConfig, quietLog())
	if err != nil {
		return fmt.Errorf("store audit: %w", err)
	}
	defer func() { _ = d.Close() }() // it only read
	entries, err := d.Audit(ctx, *limit)
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(t.out)
	for i := range entries {
		if err := encoder.Encode(entries[i]); err != nil {
			return fmt.Errorf("print: %w", err)
		}
	}
	return nil
}

const personPath = "/api/v1/store/"

func postPerson(ctx context.Context, base, action string, r personRequest, out io.Writer) error {
	body, err := json.Marshal(r)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, base+personPath+action, bytes.NewReader(body))
	if err != nil {
		return usageError{err.Error()}
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("the store is open in another process, which does not answer at %s: %w: give the URL that sundew run printed with --server", base, err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 1<<12))
		return fmt.Errorf("%s answers %s: %s", base, response.Status, fit(string(bytes.TrimSpace(text))))
	}
	if _, err = io.Copy(out, response.Body); err != nil {
		return err
	}
	if problem := response.Trailer.Get(problemTrailer); problem != "" {
		return fmt.Errorf("%s gave up half-way: %s", base, problem)
	}
	return nil
}

// problemTrailer tells of an error after the answer has begun.
const problemTrailer = "Sundew-Problem"

// servePerson erases and exports for who may use the console of this machine. Pages of other sites may not.
func servePerson(of reader) http.Handler {
	from, ok := of.(store.Keeper)
	if !ok {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "this kind of store can not erase and export", http.StatusNotImplemented)
		})
	}
	origin := http.NewCrossOriginProtection()
	return origin.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked personRequest
		decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<12))
		if err := decoder.Decode(&asked); err != nil {
			http.Error(w, `want {"entity":"account:u17","by":"jane"}: `+err.Error(), http.StatusBadRequest)
			return
		}
		who, err := sundew.ParseEntity(asked.Entity)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/x-ndjson")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Trailer", problemTrailer)
		switch r.PathValue("action") {
		case "erase":
			err = erase(r.Context(), from, who, asked.By, w)
		case "export":
			err = export(r.Context(), from, who, asked.By, w)
		default:
			http.NotFound(w, r)
			return
		}
		if err != nil {
			w.Header().Set(problemTrailer, spellOut(err.Error()))
		}
	}))
}
