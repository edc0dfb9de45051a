//! HTTP: JSON API, OpenAPI, server-rendered public pages, metrics.
