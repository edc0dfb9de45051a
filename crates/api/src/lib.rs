//! HTTP: JSON API, OpenAPI, server-rendered public pages, metrics.
//!
//! *Architecture invariant*: everything here asks the node through its one [`Handle`](ortsnetz_node::Handle); no file
//! and no socket is opened. What a page shows is a pure function of what the node answered and of the time.
//!
//! - [`router`] is the whole thing as one `axum::Router`; [`serve()`] runs it until it is told to stop.
//! - Under `/api/v1` every request needs the bearer token, but for `openapi.json`.
//! - The pages (`/`, `/suche`, `/eintrag/{id}`, `/netz`) show what lies in `public` collections and nothing else.
//! - Every request must name a host that cannot be rebound: an IP address, `localhost`, or one of
//!   [`ApiConfig::hosts`].

mod app;
mod extract;
mod guard;
pub mod limits;
mod metrics;
mod openapi;
mod pages;
mod problem;
mod routes;
mod serve;
mod stream;

pub use app::ApiConfig;
pub use openapi::document as openapi;
pub use problem::Problem;
pub use serve::{router, serve};

/// Media type of edits as paths and values, `{"values": [{"path": "fees.0.amount", "value": "2800"}]}`: what the command
/// line sends. A value is typed by its field, as on the command line.
pub const MEDIA_TYPE_PATHS: &str = "application/vnd.ortsnetz.paths+json";

/// Request header of `POST /imports` with the mapping of a CSV file: its TOML text as base64url without padding.
pub const HEADER_MAPPING: &str = "ortsnetz-mapping";
