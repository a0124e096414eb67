package actors

// Node is an actor as Tree shows it.
type Node struct {
	Path     string
	Name     string
	Depth    int    // 0 at the top
	State    string // starting, running, failed (waits for its supervisor or its backoff), restarting, stopping
	Mailbox  int    // messages that wait
	Restarts int
	Children int // how many there are right below it
}

var stateNames = [...]string{"starting", "running", "failed", "restarting", "stopping", "stopped"}

// Tree returns every living actor, each parent followed by its children, by
// name. It looks at one family after the other while they live on, so a parent
// and its children need not be of the same moment.
func (s *System) Tree() []Node {
	var nodes []Node
	for _, r := range s.guardian.children() {
		nodes = r.appendTree(nodes, 0)
	}
	return nodes
}

func (r *Ref) appendTree(nodes []Node, depth int) []Node {
	children := r.children()
	nodes = append(nodes, Node{
		Path:     r.Path(),
		Name:     r.Name(),
		Depth:    depth,
		State:    stateNames[r.life.Load()],
		Mailbox:  int(r.mb.queued.Load()),
		Restarts: int(r.restarts.Load()),
		Children: len(children),
	})
	for _, c := range children {
		nodes = c.appendTree(nodes, depth+1)
	}
	return nodes
}
