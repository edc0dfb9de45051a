//! Who may ask: host names, the bearer token, headers that keep a browser from doing harm.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq as _;

use crate::app::App;
use crate::problem::Problem;

/// Pages load one style sheet from here and nothing else, run no script, and stand in no frame.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
                                       base-uri 'none'; frame-ancestors 'none'";

/// Headers of every answer.
const SECURITY_HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
];

/// Puts the security headers on every answer.
pub(crate) async fn security_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in SECURITY_HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Refuses requests under a host name that somebody else's name server could point at us.
pub(crate) async fn known_host(State(app): State<App>, request: Request, next: Next) -> Response {
    let host = requested_host(request.headers(), request.uri());
    if host.as_deref().is_some_and(|host| is_known_host(host, &app.config.hosts)) {
        return next.run(request).await;
    }
    let host = host.unwrap_or_default();
    Problem::new(
        StatusCode::MISDIRECTED_REQUEST,
        "host",
        "Unknown host name",
        format!("this node does not answer as {host:?}; use its IP address or localhost, or add the name to `hosts` in ortsnetz.toml"),
    )
    .into_response()
}

/// Lets only requests with the bearer token pass.
pub(crate) async fn with_token(State(app): State<App>, request: Request, next: Next) -> Response {
    if has_token(request.headers(), &app.config.token) { next.run(request).await } else { unauthorized() }
}

/// Lets requests pass that have the token, or come from this machine itself and not through a proxy.
pub(crate) async fn with_token_or_local(State(app): State<App>, request: Request, next: Next) -> Response {
    let from = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    if has_token(request.headers(), &app.config.token) || is_local(from, request.headers()) {
        return next.run(request).await;
    }
    unauthorized()
}

fn unauthorized() -> Response {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "unauthorized",
        "Token needed",
        "send `Authorization: Bearer TOKEN` with the token in <data-dir>/admin.token",
    )
    .into_response()
}

/// Host name or address without port; from the request line if it has one there.
fn requested_host(headers: &HeaderMap, uri: &Uri) -> Option<String> {
    let authority = match uri.authority() {
        Some(authority) => authority.as_str().to_owned(),
        None => {
            let mut hosts = headers.get_all(header::HOST).iter();
            let host = hosts.next()?.to_str().ok()?.to_owned();
            if hosts.next().is_some() {
                return None;
            }
            host
        }
    };
    let authority = authority.rsplit('@').next().unwrap_or_default().to_ascii_lowercase();
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default().to_owned(),
        None => authority.split(':').next().unwrap_or_default().to_owned(),
    };
    Some(host)
}

/// An address cannot be rebound by a name server, and `localhost` is answered by the machine itself.
fn is_known_host(host: &str, known: &[String]) -> bool {
    host.parse::<IpAddr>().is_ok()
        || host == "localhost"
        || host.ends_with(".localhost")
        || known.iter().any(|name| name.eq_ignore_ascii_case(host))
}

/// Whether the `Authorization` header holds this token; takes the same time wherever they differ.
fn has_token(headers: &HeaderMap, token: &str) -> bool {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Some((scheme, given)) = given.split_once(' ') else { return false };
    scheme.eq_ignore_ascii_case("bearer")
        && !token.is_empty()
        && bool::from(given.trim().as_bytes().ct_eq(token.as_bytes()))
}

/// From this machine, and not forwarded by a proxy that runs on it.
fn is_local(from: Option<IpAddr>, headers: &HeaderMap) -> bool {
    from.is_some_and(|address| address.to_canonical().is_loopback())
        && !headers.contains_key(header::FORWARDED)
        && !headers.contains_key("x-forwarded-for")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().expect("valid"), value.parse().expect("valid")))
            .collect()
    }

    fn host(text: &str) -> Option<String> {
        requested_host(&headers(&[("host", text)]), &Uri::from_static("/"))
    }

    #[test]
    fn a_rebound_name_is_refused() {
        for known in ["127.0.0.1:8115", "[::1]:8115", "localhost", "LOCALHOST:80", "koeln.localhost:8115", "10.0.0.7"] {
            assert!(is_known_host(&host(known).expect("a host"), &[]), "{known}");
        }
        for unknown in ["evil.example", "localhost.evil.example:8115", "127.0.0.1.evil.example", ""] {
            assert!(!is_known_host(&host(unknown).expect("a host"), &[]), "{unknown}");
        }
        assert!(is_known_host("ortsnetz.siegburg.de", &["Ortsnetz.Siegburg.de".into()]));
        assert_eq!(requested_host(&headers(&[]), &Uri::from_static("/")), None);
        let absolute = Uri::from_static("http://evil.example/");
        let named = requested_host(&headers(&[("host", "localhost")]), &absolute);
        assert_eq!(named.as_deref(), Some("evil.example"), "the request line counts");
    }

    #[test]
    fn only_the_whole_token_counts() {
        let bearer = |text: &str| has_token(&headers(&[("authorization", text)]), "secret");
        assert!(bearer("Bearer secret"));
        assert!(bearer("bearer secret"));
        assert!(!bearer("Bearer secre"));
        assert!(!bearer("Bearer secrett"));
        assert!(!bearer("Basic secret"));
        assert!(!bearer("secret"));
        assert!(!has_token(&headers(&[("authorization", "Bearer ")]), ""), "an empty token opens nothing");
    }

    #[test]
    fn a_proxy_on_this_machine_is_not_this_machine() {
        let loopback = Some(IpAddr::from([127, 0, 0, 1]));
        assert!(is_local(loopback, &headers(&[])));
        assert!(!is_local(loopback, &headers(&[("x-forwarded-for", "203.0.113.9")])));
        assert!(!is_local(Some(IpAddr::from([203, 0, 113, 9])), &headers(&[])));
        assert!(!is_local(None, &headers(&[])));
    }
}
