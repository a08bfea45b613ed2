package edge

import (
	"fmt"
	"net/url"
	"os"
	"time"

	"sundew"
)

// ProxyConfig says what a proxy stands in front of and how far it may go.
type ProxyConfig struct {
	Upstream       string   `yaml:"upstream"`        // such as http://127.0.0.1:9000
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

// DefaultProxyConfig holds 500 requests at once, 3 of them for one entity and 20 from one network, for 10 seconds at
// most, which is below the time-outs of common clients and load balancers.
func DefaultProxyConfig() ProxyConfig {
	return ProxyConfig{
		Upstream:     "http://127.0.0.1:9000",
		DeviceHeader: "X-Device-Guid",
		Caps:         Caps{Held: 500, PerKey: 3, PerPrefix: 20},
		MaxDelay:     10 * time.Second,
		HealthPath:   "/healthz",
	}
}

// Validate reports the first setting that cannot be used.
func (c ProxyConfig) Validate() error {
	if _, err := c.upstream(); err != nil {
		return err
	}
	if _, err := sundew.NewProxies(c.TrustedProxies); err != nil {
		return err
	}
	if c.Caps.Held < 0 || c.Caps.PerKey < 0 || c.Caps.PerPrefix < 0 {
		return fmt.Errorf("caps: held %d, per_key %d, per_prefix %d: want no negative numbers", c.Caps.Held, c.Caps.PerKey, c.Caps.PerPrefix)
	}
	if c.MaxDelay < 0 || c.MaxDelay > time.Minute {
		return fmt.Errorf("max_delay %s: want up to 1m, and less than the time-outs of clients and load balancers", c.MaxDelay)
	}
	return nil
}

// pseudonyms are those that the list has for accounts, nil where it has none.
func (c ProxyConfig) pseudonyms() (*sundew.Pseudonyms, error) {
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

func (c ProxyConfig) upstream() (*url.URL, error) {
	u, err := url.Parse(c.Upstream)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("upstream %q: want http:// or https:// and a host", c.Upstream)
	}
	return u, nil
}

// withDefaults completes what a zero value leaves open. A proxy that shall hold nothing is one in DryRun.
func (c ProxyConfig) withDefaults() ProxyConfig {
	d := DefaultProxyConfig()
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
