package edge

import (
	"fmt"
	"net/url"
	"os"
	"time"

	"sundew"
)

// ProxyConfig says what a proxy stands in front of and how far its gate may go.
type ProxyConfig struct {
	Upstream   string `yaml:"upstream"` // such as http://127.0.0.1:9000
	GateConfig `yaml:",inline"`
}

// GateConfig says how a gate tells clients apart and how far it may go.
type GateConfig struct {
	TrustedProxies []string `yaml:"trusted_proxies"` // whose X-Forwarded-For is believed; see sundew.NewProxies

	// The headers that say who asks. Clients can write whatever they like into headers: name one for accounts only if
	// something in front of this proxy sets it. The header for API keys must hold an identifier, not the secret, because
	// it goes into the log.
	DeviceHeader  string `yaml:"device_header"`  // empty: X-Device-Guid
	AccountHeader string `yaml:"account_header"` // empty: not read
	APIKeyHeader  string `yaml:"api_key_header"` // empty: not read

	// PseudonymKeyFile is the ingest.privacy.key_file of the sundew whose list is followed, where accounts have pseudonyms
	// there; it is read at the start.
	PseudonymKeyFile string `yaml:"pseudonym_key_file"`

	Caps       Caps          `yaml:"caps"`
	MaxDelay   time.Duration `yaml:"max_delay"`   // the longest that a request is held
	HealthPath string        `yaml:"health_path"` // requests for it are served whoever asks
	DryRun     bool          `yaml:"dry_run"`     // look decisions up and count them, touch nothing
	KillFile   string        `yaml:"kill_file"`   // while it exists, nothing is looked up
}

// DefaultProxyConfig is for an API on this machine.
func DefaultProxyConfig() ProxyConfig {
	return ProxyConfig{Upstream: "http://127.0.0.1:9000", GateConfig: DefaultGateConfig()}
}

// DefaultGateConfig holds 500 requests at once, 3 of them for one entity, 20 from one network and 10 of one HTTP/2
// connection, for 10 seconds at most, which is below the time-outs of common clients and load balancers.
func DefaultGateConfig() GateConfig {
	return GateConfig{
		DeviceHeader: "X-Device-Guid",
		Caps:         Caps{Held: 500, PerKey: 3, PerPrefix: 20, PerConnection: 10},
		MaxDelay:     10 * time.Second,
		HealthPath:   "/healthz",
	}
}

// Validate reports the first setting that cannot be used.
func (c ProxyConfig) Validate() error {
	if _, err := upstreamURL(c.Upstream); err != nil {
		return err
	}
	return c.GateConfig.Validate()
}

// Validate reports the first setting that cannot be used.
func (c GateConfig) Validate() error {
	if _, err := sundew.NewProxies(c.TrustedProxies); err != nil {
		return err
	}
	if min(c.Caps.Held, c.Caps.PerKey, c.Caps.PerPrefix, c.Caps.PerConnection) < 0 {
		return fmt.Errorf("caps: held %d, per_key %d, per_prefix %d, per_connection %d: want no negative numbers", c.Caps.Held, c.Caps.PerKey, c.Caps.PerPrefix, c.Caps.PerConnection)
	}
	if c.MaxDelay < 0 || c.MaxDelay > time.Minute {
		return fmt.Errorf("max_delay %s: want up to 1m, and less than the time-outs of clients and load balancers", c.MaxDelay)
	}
	return nil
}

// pseudonyms are those that the list has for accounts, nil where it has none.
func (c GateConfig) pseudonyms() (*sundew.Pseudonyms, error) {
	if c.PseudonymKeyFile == "" {
		return nil, nil
	}
	text, err := os.ReadFile(c.PseudonymKeyFile)
	if err != nil {
		return nil, fmt.Errorf("pseudonym_key_file: %w", err)
	}
	names, err := sundew.ParsePseudonyms(string(text))
	if err != nil {
		return nil, fmt.Errorf("pseudonym_key_file: %s: %w", c.PseudonymKeyFile, err)
	}
	return names, nil
}

func upstreamURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("upstream %q: want http:// or https:// and a host", text)
	}
	return u, nil
}

// withDefaults completes what a zero value leaves open. A gate that shall hold nothing is one in DryRun.
func (c GateConfig) withDefaults() GateConfig {
	d := DefaultGateConfig()
	if c.Caps == (Caps{}) {
		c.Caps = d.Caps
	}
	if c.MaxDelay == 0 {
		c.MaxDelay = d.MaxDelay
	}
	if c.DeviceHeader == "" {
		c.DeviceHeader = d.DeviceHeader
	}
	return c
}
