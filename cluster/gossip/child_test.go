package gossip

func child() bool { return false }
