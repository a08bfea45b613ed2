package store

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"strings"
	"text/template"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// clickHouseSchema holds the steps of the schema, numbered from 1 without gaps. A step that was released is never changed.
//
//go:embed schema/clickhouse/*.sql
var clickHouseSchema embed.FS

// deduplicationWindow is how many inserts the server remembers the tokens of: how far behind a recorder may be that does
// not know yet that it has lost its partition.
const deduplicationWindow = 10_000

// ddl writes the statements of a step for one server or for a cluster, on which every table is replicated within a shard
// and spread over the shards by a Distributed table of the same name. A Record goes to one shard whole, since what shards
// events is the partition of the log.
type ddl struct{ cluster string }

func (d ddl) statements(step string) ([]string, error) {
	parsed, err := template.New("step").Funcs(template.FuncMap{
		"local": d.local, "engine": d.engine, "distributed": d.distributed,
	}).Parse(step)
	if err != nil {
		return nil, err
	}
	var text strings.Builder
	if err := parsed.Execute(&text, struct{ Deduplication string }{d.deduplication()}); err != nil {
		return nil, err
	}
	var statements []string
	for statement := range strings.SplitSeq(text.String(), ";\n") {
		if withoutComments(statement) != "" {
			statements = append(statements, strings.TrimSpace(statement))
		}
	}
	return statements, nil
}

func withoutComments(statement string) string {
	var lines []string
	for line := range strings.Lines(statement) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "--") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

func (d ddl) onCluster() string {
	if d.cluster == "" {
		return ""
	}
	return " ON CLUSTER " + quoted(d.cluster)
}

// table is what holds the rows of one server.
func (d ddl) table(name string) string {
	if d.cluster == "" {
		return name
	}
	return name + "_local"
}

func (d ddl) local(name string) string { return d.table(name) + d.onCluster() }

func (d ddl) engine(name string, arguments ...string) string {
	if d.cluster != "" {
		name = "Replicated" + name
	}
	return name + "(" + strings.Join(arguments, ", ") + ")"
}

func (d ddl) distributed(name, shardBy string) string {
	if d.cluster == "" {
		return ""
	}
	return fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s%s AS %s\nENGINE = Distributed(%s, currentDatabase(), %s, %s);",
		name, d.onCluster(), d.table(name), quoted(d.cluster), d.table(name), shardBy)
}

func (d ddl) deduplication() string {
	if d.cluster == "" {
		return fmt.Sprintf("non_replicated_deduplication_window = %d", deduplicationWindow)
	}
	return fmt.Sprintf("replicated_deduplication_window = %d", deduplicationWindow)
}

// quoted is a word of the configuration as SQL text; Validate has seen to it that it holds nothing but letters.
func quoted(s string) string { return "'" + s + "'" }

// schemaStep is a step that a database has taken.
type schemaStep struct {
	version  uint32
	checksum string
}

// migrate takes every step that the database has not seen. A database that a newer program wrote, or another one of the
// same number of steps, is refused.
func (c *ClickHouse) migrate(ctx context.Context) error {
	files, err := fs.Glob(clickHouseSchema, "schema/clickhouse/*.sql")
	if err != nil {
		return fmt.Errorf("schema of %s: %w", c.name, err)
	}
	taken, err := c.takenSteps(ctx)
	if err != nil {
		return fmt.Errorf("schema of %s: %w", c.name, err)
	}
	if len(taken) > len(files) {
		return fmt.Errorf("schema of %s has version %d, this program knows up to %d: run the newer sundew that wrote it, or choose another database", c.name, len(taken), len(files))
	}
	for i, file := range files {
		step, err := clickHouseSchema.ReadFile(file)
		if err != nil {
			return fmt.Errorf("schema of %s: %w", c.name, err)
		}
		sum := sha256.Sum256(step)
		checksum := hex.EncodeToString(sum[:])
		if i < len(taken) {
			if taken[i].checksum != checksum {
				return fmt.Errorf("schema of %s: its version %d is not the one of this program: run the sundew that wrote it, or choose another database", c.name, i+1)
			}
			continue
		}
		if err := c.takeStep(ctx, schemaStep{uint32(i + 1), checksum}, string(step)); err != nil {
			return fmt.Errorf("schema of %s: step %s: %w", c.name, file, err)
		}
	}
	return nil
}

// takenSteps lists the steps in their order. A step that two programs took at once stands there once.
func (c *ClickHouse) takenSteps(ctx context.Context) ([]schemaStep, error) {
	create := "CREATE TABLE IF NOT EXISTS schema_steps" + c.ddl.onCluster() + " (version UInt32, checksum String) ENGINE = " +
		c.ddl.engine("ReplacingMergeTree") + " ORDER BY version"
	if err := c.conn.Exec(ctx, create); err != nil {
		return nil, err
	}
	return gather(ctx, c, `SELECT version, checksum FROM schema_steps FINAL ORDER BY version`, func(r row) (s schemaStep, err error) {
		return s, r.Scan(&s.version, &s.checksum)
	})
}

func (c *ClickHouse) takeStep(ctx context.Context, step schemaStep, text string) error {
	statements, err := c.ddl.statements(text)
	if err != nil {
		return err
	}
	for _, statement := range statements {
		if err := c.conn.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return c.conn.Exec(ctx, `INSERT INTO schema_steps SELECT {version:UInt32}, {checksum:String}`,
		clickhouse.Named("version", step.version), clickhouse.Named("checksum", step.checksum))
}

// keep sets for how long rows stay. The server drops them in its own time, as whole parts where it can.
func (c *ClickHouse) keep(ctx context.Context) error {
	for table, age := range map[string]string{
		"events": "toDateTime(time)", "scores": "toDateTime(time)", "dead_letters": "toDateTime(time)",
		"decisions": "toDateTime(greatest(time, expires))",
	} {
		engines, err := gather(ctx, c, `SELECT engine_full FROM system.tables WHERE database = currentDatabase() AND name = {table:String}`,
			func(r row) (s string, err error) { return s, r.Scan(&s) }, clickhouse.Named("table", c.ddl.table(table)))
		if err != nil {
			return fmt.Errorf("retention of %s: %w", table, err)
		}
		present := strings.Contains(strings.Join(engines, ""), " TTL ")
		change := fmt.Sprintf("MODIFY TTL %s + toIntervalSecond(%d)", age, int64(c.config.Retention.Seconds()))
		switch {
		case c.config.Retention == 0 && !present, strings.Contains(strings.Join(engines, ""), strings.TrimPrefix(change, "MODIFY")):
			continue
		case c.config.Retention == 0:
			change = "REMOVE TTL"
		}
		// Rows that are there already expire when their parts are merged, rather than by rewriting all of them now.
		if err := c.conn.Exec(ctx, "ALTER TABLE "+c.ddl.local(table)+" "+change+" SETTINGS materialize_ttl_after_modify = 0"); err != nil {
			return fmt.Errorf("retention of %s: %w", table, err)
		}
	}
	return nil
}
