package rules

import "fmt"

// Config bounds what an engine keeps.
type Config struct {
	// MaxEntities is how many entities may have points or a decision at once. When another one comes, the one that has
	// been quiet for longest is forgotten: its points are gone, its decision stays with the edges until it expires.
	MaxEntities int `yaml:"max_entities"`
}

// DefaultConfig keeps 200,000 entities, which take about 100 MB.
func DefaultConfig() Config { return Config{MaxEntities: 200_000} }

// Validate names the first setting that cannot work.
func (c Config) Validate() error {
	if c.MaxEntities < 1 {
		return fmt.Errorf("max_entities is %d: want 1 or more", c.MaxEntities)
	}
	return nil
}
