package keying

import "bytes"

// changing is the profile of messages that change keys, which say more in element 53 than how they
// are protected: six bytes as in profile 1, with no PIN, then what they have to say.
const changing = 2

// ParseChange reads element 53 of profile 2: how the message is protected, and the order behind
// it.
func ParseChange(value []byte) (c Control, order []byte, err error) {
	if len(value) <= head || value[0] != changing {
		return Control{}, nil, errControl
	}
	own := bytes.Clone(value[:head])
	own[0] = profile
	if c, err = Parse(own); err != nil || c.Format != NoPIN {
		return Control{}, nil, errControl
	}
	return c, value[head:], nil
}

// AppendChange appends element 53 of profile 2 with an order.
func (c *Control) AppendChange(dst, order []byte) ([]byte, error) {
	if c.Format != NoPIN || c.serial != 0 || len(order) == 0 {
		return dst, errControl
	}
	start := len(dst)
	dst, err := c.Append(dst)
	if err != nil {
		return dst, err
	}
	dst[start] = changing
	return append(dst, order...), nil
}
