package cardswitch

import "time"

// Config is everything an operator may say. The yaml tags are the names in the
// file; the program that loads it decodes by them and refuses every other name.
type Config struct {
	Node        string         `yaml:"node"`
	Institution string         `yaml:"institution"` // DE 33 on issuer legs, DE 93/94 in 18xx
	Data        DataConfig     `yaml:"data"`
	Admin       AdminConfig    `yaml:"admin"`
	Access      AccessConfig   `yaml:"access,omitempty"`
	Keys        KeysConfig     `yaml:"keys"`
	Audit       AuditConfig    `yaml:"audit"`
	Vault       VaultConfig    `yaml:"vault"`
	Backup      BackupConfig   `yaml:"backup"`
	Checks      ChecksConfig   `yaml:"checks"`
	Drills      DrillsConfig   `yaml:"drills,omitempty"`
	Log         LogConfig      `yaml:"log"`
	Routing     RoutingConfig  `yaml:"routing"`
	Dialects    []string       `yaml:"dialects"`   // extra dialect files
	Production  bool           `yaml:"production"` // refuses what only a test may do
	Centers     []CenterConfig `yaml:"centers"`
	// Cluster is the other nodes; nil: this one is alone.
	Cluster *ClusterConfig `yaml:"cluster,omitempty"`
	// Settlement says what is paid for transactions.
	Settlement SettlementConfig `yaml:"settlement,omitempty"`

	// Dir is where relative names in the configuration start: the folder of
	// the file it came from. Empty is the working directory.
	Dir string `yaml:"-"`
	// File is the name of that file in it; empty: there is none.
	File string `yaml:"-"`
}

// DataConfig says where and how long the journal is kept.
type DataConfig struct {
	Dir           string `yaml:"dir"`
	KeyFile       string `yaml:"key_file"`
	CreateKey     bool   `yaml:"create_key"`
	RetentionDays int    `yaml:"retention_days"`
	MinFreeMB     int    `yaml:"min_free_mb"`
}

// AdminConfig has the two doors of the operators: the socket can do
// everything, HTTP only reads /metrics, /livez and /readyz.
type AdminConfig struct {
	Socket string `yaml:"socket"`
	HTTP   string `yaml:"http"`
}

// LogConfig shapes what is written to standard error.
type LogConfig struct {
	Level  string `yaml:"level"`
	Format string `yaml:"format"`
}

// RoutingConfig names the files of which the routing table is made.
type RoutingConfig struct {
	Files []string `yaml:"files"`
}

// The roles a center may have.
const (
	RoleMerchant = "merchant"
	RoleIssuer   = "issuer"
)

// Who signs on over a link.
const (
	SignOnPeer = "peer"
	SignOnUs   = "us"
	SignOnNone = "none"
)

// Who makes the new keys of a center and brings them by 1804/811. The other side takes them.
const (
	KeyChangeUs   = "us"
	KeyChangePeer = "peer"
)

// Whether both sides of an envelope add a share, so that a link key lost later opens nothing
// that was sent before.
const (
	ShareNever    = "never"
	ShareOffered  = "offered"
	ShareRequired = "required"
)

// CenterConfig is one institution's computer center. Fields that only one role
// has are marked; Validate refuses them in the other.
type CenterConfig struct {
	Name    string `yaml:"name"`
	Role    string `yaml:"role"`
	Dialect string `yaml:"dialect"`
	// Institution is the center's own id, DE 93 of the network management that we send it.
	Institution string        `yaml:"institution,omitempty"`
	Timezone    string        `yaml:"timezone"`
	Window      int           `yaml:"window"`      // requests in flight
	AnswerTime  time.Duration `yaml:"answer_time"` // T1 of a merchant, T2 of an issuer
	SignOn      string        `yaml:"sign_on"`
	Echo        EchoConfig    `yaml:"echo"`
	Rules       RulesConfig   `yaml:"rules,omitempty"`
	// KeyChange says who makes new keys when they are due.
	KeyChange string       `yaml:"key_change"`
	Links     []LinkConfig `yaml:"links"`
	// Security is how its messages are protected, whatever link they take.
	Security *SecurityConfig `yaml:"security,omitempty"`
	lent     bool            // its keys are the first shard's, and this is another
	// Reconciliation is how business days are agreed with it; nil: they aren't.
	Reconciliation *ReconciliationConfig `yaml:"reconciliation,omitempty"`
	// Adjustments is what is agreed about what follows a transaction.
	Adjustments *AdjustmentsConfig `yaml:"adjustments,omitempty"`

	// Of merchants only.
	Acquirers          []string `yaml:"acquirers,omitempty"`  // DE 32 it may use, else 905
	Forwarders         []string `yaml:"forwarders,omitempty"` // DE 33 it may use
	Messages           []string `yaml:"messages,omitempty"`   // MTIs it may send
	UnknownOriginal    int      `yaml:"unknown_original,omitempty"`
	FormatNotification bool     `yaml:"format_notification,omitempty"`
	// Tokens stand for card numbers in what goes to the center; nil: it holds card numbers.
	Tokens *TokensConfig `yaml:"tokens,omitempty"`

	// Of issuers only.
	ForwardingID bool            `yaml:"forwarding_id,omitempty"` // add DE 33 on this leg
	Failover     *FailoverConfig `yaml:"failover,omitempty"`
	SAF          *SAFConfig      `yaml:"saf,omitempty"`
	// StandIn decides for the issuer while it is away; nil: its requests are refused then.
	StandIn *StandInConfig `yaml:"standin,omitempty"`
	// Negative is how its negative list is used; nil: it keeps none here.
	Negative *NegativeConfig `yaml:"negative,omitempty"`
}

// EchoConfig is the heartbeat of a link: after that much silence an echo test,
// and after that many unanswered ones the link is closed.
type EchoConfig struct {
	After  time.Duration `yaml:"after"`
	Wait   time.Duration `yaml:"wait"`
	Misses int           `yaml:"misses"`
}

// RulesConfig changes the presence matrix for one center: elements by MTI.
type RulesConfig struct {
	Require map[string][]int `yaml:"require,omitempty"`
	Relax   map[string][]int `yaml:"relax,omitempty"`
}

// FailoverConfig is when a link that still stands counts as sick: so many
// errors within a time, or answers slower than slow; it then rests for hold.
type FailoverConfig struct {
	Errors int           `yaml:"errors"`
	Within time.Duration `yaml:"within"`
	Slow   time.Duration `yaml:"slow"`
	Hold   time.Duration `yaml:"hold"`
}

// SAFConfig is how owed advices are delivered.
type SAFConfig struct {
	First      time.Duration `yaml:"first"`       // before the first repeat
	Wait       time.Duration `yaml:"wait"`        // for each answer
	BackoffMax time.Duration `yaml:"backoff_max"` // between repeats
	AlarmAfter int           `yaml:"alarm_after"` // repeats
	InFlight   int           `yaml:"in_flight"`
	Retry      []int         `yaml:"retry"`  // action codes: send it again later
	Shelve     []int         `yaml:"shelve"` // action codes: to the work list
	// Overtake lets requests go out although something is still owed for the same card.
	Overtake bool `yaml:"overtake"`
}

// LinkConfig is one way to a center: an address to listen on or to dial.
type LinkConfig struct {
	Name           string          `yaml:"name"`
	Order          int             `yaml:"order"` // 0 primary, 1 standby, 2 DR
	Listen         string          `yaml:"listen,omitempty"`
	Dial           string          `yaml:"dial,omitempty"`
	From           []string        `yaml:"from,omitempty"` // source addresses that may connect
	MaxConnections int             `yaml:"max_connections,omitempty"`
	Framing        FramingConfig   `yaml:"framing"`
	TLS            *TLSConfig      `yaml:"tls,omitempty"`
	Envelope       *EnvelopeConfig `yaml:"envelope,omitempty"`
	ReadTimeout    time.Duration   `yaml:"read_timeout"`
	WriteTimeout   time.Duration   `yaml:"write_timeout"`
	MaxFrame       int             `yaml:"max_frame"` // bytes
	QueueMB        int             `yaml:"queue_mb"`
	// Warm has the nodes that aren't active keep a connection ready (package switch/link/warm).
	Warm bool `yaml:"warm,omitempty"`
	// SignOnEarly has them sign on over it, and echo tests go both ways.
	SignOnEarly bool `yaml:"sign_on_early,omitempty"`

	passed string // the protection at the doors that pass its connections on; empty: there are none
}

// FramingConfig is how messages are cut from the stream.
type FramingConfig struct {
	Length    string `yaml:"length"` // binary2, binary4, ascii4
	Inclusive bool   `yaml:"inclusive"`
	TPDU      bool   `yaml:"tpdu"`
	Header    string `yaml:"header"` // fixed bytes before each message, in hex
}

// EnvelopeConfig asks for messages that travel wholly encrypted, under a link key of the key store
// (package hsm/envelope). It goes without TLS, or inside of it.
type EnvelopeConfig struct {
	ID      string        `yaml:"id"`      // the link's name on the wire, and that of its keys
	Padding bool          `yaml:"padding"` // hides lengths: to multiples of 64 bytes
	Share   string        `yaml:"share"`   // forward secrecy: never, offered, required
	Legacy  bool          `yaml:"legacy"`  // TDES, for a center that has nothing else
	Epoch   time.Duration `yaml:"epoch"`   // fresh keys are derived so often
}

// TLSConfig asks for TLS 1.3 with certificates on both sides. All three files
// must be there: a link with half of them doesn't start.
type TLSConfig struct {
	Cert  string   `yaml:"cert"`
	Key   string   `yaml:"key"`
	CA    string   `yaml:"ca"`
	Names []string `yaml:"names"` // DNS names one of which the peer's certificate must have
}
