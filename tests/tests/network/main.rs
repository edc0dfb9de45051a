//! Real daemons on machines of their own: network namespaces with routers, and lines that are slow, lossy or cut.

mod lines;
mod nat;
