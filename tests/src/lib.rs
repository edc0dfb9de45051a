//! Real daemons, fault injection and rules about the repository.
