package link

// Center is one center with its lines. It stays the same value as long as its name is configured.
type Center struct{}

func (c *Center) ID() uint16     { return 0 }
func (c *Center) Name() string   { return "" }
func (c *Center) Role() Role     { return 0 }
func (c *Center) Lines() []*Line { return nil }

// Links are the live connections, whatever their state. The slice is shared: don't change it.
func (c *Center) Links() []*Link { return nil }

// Best is the best link for a new request, nil if there is none.
func (c *Center) Best() *Link { return nil }

// InFlight is how many requests Acquire counted on all links; Window is their bound.
func (c *Center) InFlight() int { return 0 }
func (c *Center) Window() int   { return 0 }
