//! Where to listen, and what to say when that does not work.

use std::io;
use std::net::{IpAddr, SocketAddr};

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use socket2::{Domain, Socket, Type};

use crate::config::{StartError, parse_address};

/// Checks the configured addresses with a probe that tries to bind each; returns those to listen at. IPv6 may be missing
/// on a machine as long as IPv4 works.
pub(crate) fn usable(
    configured: &[String],
    probe: impl Fn(SocketAddr) -> io::Result<()>,
) -> Result<Vec<Multiaddr>, StartError> {
    let (mut usable, mut missing) = (Vec::new(), Vec::new());
    for text in configured {
        let (address, socket) = parse(text)?;
        match probe(socket) {
            Ok(()) => usable.push(address),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                return Err(StartError::AddressInUse { address: text.clone() });
            }
            Err(error) => {
                let error = StartError::Listen { address: text.clone(), reason: error.to_string() };
                if socket.is_ipv4() {
                    return Err(error);
                }
                missing.push(error);
            }
        }
    }
    if usable.is_empty()
        && let Some(error) = missing.pop()
    {
        return Err(error);
    }
    for error in missing {
        tracing::warn!(%error, "going on without IPv6");
    }
    Ok(usable)
}

/// Binds an address for a moment. libp2p shares its ports (`SO_REUSEPORT`), so that it would not notice a second daemon.
pub(crate) fn probe(address: SocketAddr) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Connections of a daemon that has just stopped do not count.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())
}

fn parse(text: &str) -> Result<(Multiaddr, SocketAddr), StartError> {
    let wrong = |reason: String| StartError::Address { address: text.chars().take(200).collect(), reason };
    let address = parse_address(text).map_err(|error| wrong(error.reason))?;
    let mut parts = address.iter();
    let socket = match (parts.next(), parts.next(), parts.next()) {
        (Some(Protocol::Ip4(ip)), Some(Protocol::Tcp(port)), None) => SocketAddr::new(IpAddr::V4(ip), port),
        (Some(Protocol::Ip6(ip)), Some(Protocol::Tcp(port)), None) => SocketAddr::new(IpAddr::V6(ip), port),
        _ => return Err(wrong("it needs an IP address and a TCP port, and nothing else".into())),
    };
    Ok((address, socket))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [&str; 2] = ["/ip4/0.0.0.0/tcp/4115", "/ip6/::/tcp/4115"];

    fn check(configured: &[&str], probe: impl Fn(SocketAddr) -> io::Result<()>) -> Result<usize, String> {
        let configured: Vec<String> = configured.iter().map(|text| (*text).into()).collect();
        usable(&configured, probe).map(|usable| usable.len()).map_err(|error| error.to_string())
    }

    fn no_ipv6(address: SocketAddr) -> io::Result<()> {
        if address.is_ipv4() { Ok(()) } else { Err(io::Error::other("address family not supported")) }
    }

    #[test]
    fn missing_ipv6_is_no_error_beside_ipv4() {
        assert_eq!(check(&BOTH, |_| Ok(())), Ok(2));
        assert_eq!(check(&BOTH, no_ipv6), Ok(1));
        let alone = check(&BOTH[1..], no_ipv6).unwrap_err();
        assert_eq!(alone, "cannot listen at /ip6/::/tcp/4115: address family not supported");
    }

    #[test]
    fn an_occupied_port_is_named() {
        let occupied = |_| Err(io::ErrorKind::AddrInUse.into());
        let error = check(&BOTH[1..], occupied).unwrap_err();
        assert!(error.starts_with("/ip6/::/tcp/4115 is in use by another program"), "{error}");
    }

    #[test]
    fn only_an_ip_address_with_a_port_can_be_listened_at() {
        for text in ["nonsense", "/ip4/0.0.0.0", "/dns4/example.org/tcp/1", "/ip4/1.2.3.4/udp/5", "/ip4/::/tcp/1"] {
            let error = check(&[text], |_| Ok(())).unwrap_err();
            assert!(error.contains(text) && error.contains("not an address"), "{error}");
        }
        assert_eq!(check(&[], |_| Ok(())), Ok(0));
    }
}
