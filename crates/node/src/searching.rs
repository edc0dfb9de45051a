//! Finding: the questions, and who counts in an answer.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use ortsnetz_model::dates;
use ortsnetz_model::{Ars, FeedId, OrgId};
use ortsnetz_search::{PlaceFilter, Query, Standing};

use crate::clock;
use crate::dto::{Completeness, OrganisationInfo, SearchRequest, SearchResult};
use crate::error::NodeError;
use crate::feedback;
use crate::leaving;
use crate::partners;
use crate::places;
use crate::reading::parse_on;
use crate::shared::{Shared, read};
use crate::showing;
use crate::succeeding;

/// The place an organisation claims.
pub(crate) fn claim(shared: &Shared, organisation: &OrgId) -> Option<Ars> {
    shared.identity_of(organisation)?.ars().parse().ok()
}

/// The place an organisation claims, and those of the organisations that it follows.
pub(crate) fn places_of(shared: &Shared, organisation: &OrgId) -> Vec<Ars> {
    claim(shared, organisation).into_iter().chain(succeeding::inherited(shared, organisation)).collect()
}

/// Places we answer for: our own and those of confirmed partners.
pub(crate) fn served(shared: &Shared) -> Vec<Ars> {
    let partners = read(&shared.partners);
    std::iter::once(&shared.own.organisation)
        .chain(partners.iter().filter(|(_, partner)| partner.confirmed && !partner.ended).map(|(id, _)| id))
        .filter(|organisation| !leaving::has_left(shared, organisation))
        .flat_map(|organisation| places_of(shared, organisation))
        .collect()
}

/// How an organisation stands to a place, or to us.
pub(crate) fn standing(shared: &Shared, organisation: &OrgId, place: Option<&PlaceFilter>) -> Standing {
    if read(&shared.claims).contradicted.contains(organisation) {
        return Standing::Contradicted;
    }
    // Nobody speaks for a place who takes part no more.
    if leaving::has_left(shared, organisation) {
        return Standing::Elsewhere;
    }
    let claims = || places_of(shared, organisation);
    let is_his = |claim: &Ars, place: &PlaceFilter| claim.covers(&place.ars) || place.also.contains(claim);
    let speaks = place.is_none_or(|place| claims().iter().any(|claim| is_his(claim, place)));
    if !speaks {
        return Standing::Elsewhere;
    }
    if *organisation == shared.own.organisation {
        return Standing::Own;
    }
    match read(&shared.partners).get(organisation) {
        Some(partner) if partner.ended => Standing::Introduced,
        Some(partner) if partner.confirmed => Standing::Partner,
        _ if read(&shared.claims).vouchers.contains_key(organisation) => Standing::Vouched,
        Some(_) => Standing::Unconfirmed,
        None => Standing::Introduced,
    }
}

/// Milliseconds since then, to three digits behind the point.
pub(crate) fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_micros() as f64 / 1000.0
}

/// What is searched.
#[derive(Clone, Copy)]
pub(crate) enum Scope<'a> {
    /// Everything that is here, notes for agents, too.
    All,
    /// What everybody may read.
    Public,
    /// These feeds, and no notes: whether they hold a word is for those who may read them.
    Feeds(&'a BTreeSet<FeedId>),
}

impl Scope<'_> {
    fn holds(&self, shared: &Shared, feed: &FeedId) -> bool {
        match self {
            Self::All => true,
            Self::Public => shared.is_public(feed),
            Self::Feeds(feeds) => feeds.contains(feed),
        }
    }
}

/// `search`. Blocks.
pub(crate) fn search(shared: &Shared, request: &SearchRequest, scope: Scope<'_>) -> Result<SearchResult, NodeError> {
    let started = Instant::now();
    let mut query = Query::new(&request.q);
    query.on = Some(parse_on(request.on.as_deref())?.unwrap_or_else(|| dates::today(clock::now())));
    query.typing = request.typing;
    query.notes = matches!(scope, Scope::All);
    if let Some(limit) = request.limit {
        query.limit = limit;
    }
    if let Some(language) = &request.lang {
        query.language.clone_from(language);
    }
    if let Some(kind) = request.kind.as_deref().filter(|kind| !kind.is_empty()) {
        query.kind = Some(crate::working::known_kind(kind)?);
    }
    if let Some(organisation) = request.organisation.as_deref().filter(|organisation| !organisation.is_empty()) {
        query.organisations = Some(vec![partners::find_organisation(shared, organisation)?]);
    }
    query.life_event = request.life_event.clone().filter(|code| !code.is_empty());
    query.audience = request.audience.clone().filter(|audience| !audience.is_empty());
    query.facets = request.facets;
    let mut result = SearchResult::default();
    let mut place: Option<PlaceFilter> = None;
    if let Some(text) = request.place.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
        let found = places::asked(shared, text, query.on)?;
        result.places = found.candidates;
        let Some(meant) = found.only else {
            result.took_ms = milliseconds(started);
            return Ok(result);
        };
        place = Some(meant.clone());
        query.place = Some(meant);
    }
    // Who was followed by another one answers no more.
    let succeeded = read(&shared.claims).succeeded.clone();
    let allowed = |feed: &FeedId| {
        if !scope.holds(shared, feed) || succeeded.contains_key(&feed.organisation) {
            return None;
        }
        Some(standing(shared, &feed.organisation, place.as_ref()))
    };
    let hits =
        shared.search.reader().search(&query, &allowed).map_err(|error| NodeError::Unavailable(error.to_string()))?;
    result.total = hits.total as u64;
    result.matching = showing::matching(hits.matching).into();
    result.facets = hits.facets.map(|facets| showing::facets(shared, facets));
    let ars = place.as_ref().map(|place| &place.ars);
    // What agents report is nobody else's business.
    let reported = match scope {
        Scope::All => feedback::reported(shared)?,
        Scope::Public | Scope::Feeds(_) => BTreeMap::new(),
    };
    for hit in hits.hits {
        let marked = if request.snippets { Some(showing::marked(shared, &query, &hit)?) } else { None };
        let reports = reported.get(&(hit.organisation, hit.id)).copied().unwrap_or_default();
        let mut hit = showing::hit(shared, hit, ars);
        hit.reports = reports;
        if let Some((title, snippet)) = marked {
            (hit.marked_title, hit.snippet) = (title, snippet);
        }
        result.hits.push(hit);
    }
    result.completeness = completeness(shared);
    result.left = place.as_ref().map(|place| left(shared, place)).unwrap_or_default();
    result.took_ms = milliseconds(started);
    Ok(result)
}

/// Who spoke for a place and takes part no more, unless somebody answers in his place.
pub(crate) fn left(shared: &Shared, place: &PlaceFilter) -> Vec<OrganisationInfo> {
    let left: Vec<OrgId> = {
        let (claims, now) = (read(&shared.claims), clock::now());
        let left = claims.leaving.iter().filter(|(id, it)| it.from <= now && !claims.succeeded.contains_key(id));
        left.map(|(id, _)| *id).collect()
    };
    let confirmed = partners::confirmed(shared);
    let vouched = |by: &OrgId, id: &OrgId| shared.identity_of(by).is_some_and(|by| by.confirms(id));
    let known = |id: &OrgId| {
        *id == shared.own.organisation || confirmed.contains(id) || confirmed.iter().any(|by| vouched(by, id))
    };
    let covers = |claim: Ars| claim.covers(&place.ars) || place.also.contains(&claim);
    let spoke = |id: &OrgId| claim(shared, id).is_some_and(covers);
    left.iter().filter(|id| spoke(id) && known(id)).map(|id| shared.organisation_info(id)).collect()
}

fn completeness(shared: &Shared) -> Completeness {
    let mut completeness = Completeness { asked: 1, answered: 1, missing: Vec::new() };
    if !shared.search.is_current() {
        completeness.answered = 0;
        completeness.missing.push("this node's index is being rebuilt".into());
    }
    completeness
}
