package demo

import (
	"context"
	"errors"
	"io"

	tea "charm.land/bubbletea/v2"
)

// Screen is the live picture. It shows what it is given and tells when someone wants to leave.
type Screen struct{ program *tea.Program }

// NewScreen makes the picture on a terminal; left is called when the user wants to end.
func NewScreen(ctx context.Context, in io.Reader, out io.Writer, left func()) *Screen {
	m := &model{left: left, width: 100, height: 40}
	return &Screen{tea.NewProgram(m, tea.WithContext(ctx), tea.WithInput(in), tea.WithOutput(out),
		tea.WithoutSignalHandler(), tea.WithFPS(10))}
}

// Run draws until Close, or until ctx ends.
func (s *Screen) Run() error {
	_, err := s.program.Run()
	if errors.Is(err, tea.ErrProgramKilled) {
		return nil
	}
	return err
}

// Show draws a snapshot, which must not change afterwards.
func (s *Screen) Show(snapshot Snapshot) { s.program.Send(&snapshot) }

// Close gives the terminal back.
func (s *Screen) Close() {
	s.program.Quit()
	s.program.Wait()
}

// model is the picture as bubbletea wants it.
type model struct {
	left          func()
	width, height int
	snapshot      *Snapshot
}

func (m *model) Init() tea.Cmd { return nil }

func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case *Snapshot:
		m.snapshot = msg
	case tea.KeyPressMsg:
		switch msg.String() {
		case "q", "esc", "ctrl+c":
			m.left()
		}
	}
	return m, nil
}

func (m *model) View() tea.View {
	text := "the switch starts ..."
	if m.snapshot != nil {
		text = View(m.snapshot, m.width, m.height)
	}
	v := tea.NewView(text)
	v.AltScreen = true
	v.WindowTitle = "cardswitch demo"
	return v
}
