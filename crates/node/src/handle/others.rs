//! What is taken from others: collections that are kept or asked about, and the table of places.

use super::Handle;
use crate::dto::{PlacesReport, ReadableCollection};
use crate::error::NodeError;
use crate::following;
use crate::passing;
use crate::shared::stopping;

impl Handle {
    /// `collections readable [ORGANISATION]`: collections of others that we may read, and what is done with them.
    pub async fn readable_collections(&self, organisation: Option<&str>) -> Result<Vec<ReadableCollection>, NodeError> {
        let organisation = organisation.map(str::to_owned);
        self.blocking(move |shared| following::list(shared, organisation.as_deref())).await
    }

    /// `collections follow ORGANISATION COLLECTION HOW`: whether a copy is kept here, its owner asked, or neither.
    pub async fn follow_collection(
        &self,
        organisation: &str,
        collection: &str,
        how: &str,
    ) -> Result<ReadableCollection, NodeError> {
        let [organisation, collection, how] = [organisation, collection, how].map(str::to_owned);
        self.blocking(move |shared| following::set(shared, &organisation, &collection, &how)).await
    }

    /// `places fetch PARTNER`: the table of a partner, as if it had been imported.
    pub async fn fetch_places(&self, partner: &str) -> Result<PlacesReport, NodeError> {
        if self.shared.is_stopping() {
            return Err(stopping());
        }
        passing::fetch(&self.shared, partner).await
    }
}
