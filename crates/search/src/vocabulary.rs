//! Words of German administration that make compounds, and words too common to say anything.

/// Words that compounds are made of, as they stand alone or inside ("schul", "melde"). The corpus adds its own.
pub(crate) const PARTS: &str = "\
abbruch abfall abfuhr abgabe abgaben abitur ablauf ablehnung abmeldung abmelden abnahme abriss abschluss absage \
abschrift abstammung abstellung abteilung abwasser adoption adresse adressen agentur akten aktuell alter alten \
altersrente ambulant amtlich anbau änderung ändern anerkennung angabe angelegenheit angebot angehörige anhänger anhörung anlage anlagen \
anlieger anliegen anmeldung anmelden anpassung anschluss anschrift ansprechpartner anstalt antrag antragstellung anwalt \
anwohner anzeige anzeigen apotheke arbeit arbeiten arbeitgeber arbeitnehmer arbeitslos archiv armut arzt ärzte asyl aufenthalt aufgabe \
aufhebung auflage auflösung aufnahme aufsicht aufstellung auftrag aufwand ausbau ausbildung ausfuhr ausgabe auskunft ausland \
ausländer ausländisch auslegung ausnahme ausschank ausschreibung außenbereich ausstellung ausstellen austausch austritt ausweis \
ausweise auszahlung auszug autobahn bahn baum bäume bauten bauherr beamte bearbeitung bedarf beförderung befreiung begleitung beglaubigung beglaubigen \
begräbnis begutachtung behandlung behinderung behinderten behörde beihilfe beirat beitrag beiträge beistand bekanntmachung belastung beleg \
belehrung belegung beleuchtung benutzung benzin beratung berechnung berechtigung berechtigt bereich bereitschaft bericht beruf berufs besatz bescheid \
bescheinigung beschäftigung beschluss beschränkung beschwerde beseitigung besitz besitzer besteuerung bestätigung bestattung \
bestellung bestimmung besuch beteiligung betreuung betreuer betrieb betriebs beurkundung bewachung bewachungs bewerbung bewertung bewilligung bewohner \
bezirk bezug bibliothek bild bilder bildung blinden boden börse branntwein brand briefwahl brücke brunnen buch bücher buchhaltung bund bundes bürger \
bürgermeister bußgeld busse container daten datenschutz dauer deich denkmal denkmalschutz deponie deutsch dienst dienste dienstleistung diplom dokument \
dolmetscher drohne drucksache duldung durchfahrt eheschließung ehren ehrenamt eichung eigentum eigentümer einbürgerung einfuhr einführung eingabe eingliederung \
einkommen einkommens einladung einleitung einreise einrichtung einsatz einsicht einsichtnahme einstellung eintrag eintragung einwilligung einwohner \
einzel einzug elektro elektronisch eltern emission empfang energie entgelt enteignung entlassung entschädigung entscheidung entsorgung entwässerung entwicklung \
entziehung erben erbschaft erbschein erdarbeit erfassung ergänzung erhaltung erhebung erhöhung erklärung erlass erlaubnis erlöschen ermäßigung \
ermittlung erneuerung ernährung ersatz erschließung erstattung erstausstellung erteilung erwachsene erwachsenen erweiterung erwerb erwerbs erziehung \
europa experte fach fahrer fahrerlaubnis fahrgast fahrrad fahrschule fahrt fahrten fahrzeug fahrzeuge familie familien ferien fernsehen feststellung fest festnetz feuer feuerwehr feuerwerk \
film finanz finanzierung firma fische fischerei fischereischein flächen fläche fleisch flucht flüchtling flughafen flur förderung förderschule formular forst fortbildung fracht \
frau frauen frei freiheit freistellung freiwillig freizeit friedhof frist fristen führerschein führung führungszeugnis fund fundbüro fundsachen funk garage garten gartenbau gärten gaststätte gaststätten gasthaus \
gebäude gebiet gebühr gebühren geburt geburten geburts gefahr gefahrgut gefährlich gefängnis gehalt gehweg geist geld gelder gelände gemeinde genehmigung general gericht gerichts geschäft geschäfte geschäfts geschlecht \
geschwindigkeit gesellschaft gesetz gesetzbuch gesundheit gesundheits getränke gewalt gewässer gewerbe gewerbeschein gewerblich gewinn glücksspiel grab gräber grenze größe grund grundbuch \
grundsicherung grundschule grundsteuer grundstück gruppe gruppen gültigkeit gutachten gutschein güter hafen haft haftpflicht halter halte haltestelle haltung handel handels handlung handwerk handwerks hauptschule haupt \
haus häuser haushalt haushalts hausmeister hausnummer hebamme heilpraktiker heim heimat heime heirat heizung helfer herkunft herstellung hilfe hilfen hilfs hinterbliebene hinweis hochschule \
hochzeit höhe holz hort hund hunde hundesteuer hygiene immission immobilie impfung import industrie information inhaber innen insolvenz integration internat internet investition jagd jagdschein \
jahr jahre jahres jubiläum jugend jugendliche jugendhilfe jugendschutz kabel kanal kanalisation karte karten kassen kasse kataster kaution kennzeichen kinder kind kindergarten kindergeld kindertages kirche kirchen klage klasse klassen \
kleingarten klima klinik kommune kommunal konto kontrolle konzession kosten kraft kraftfahrzeug kranken krankheit krankenhaus kredit kreis kriegs kriminal kultur kunde kunden kündigung kunst kurs \
kurzzeit laden lager land landes landschaft landschafts landwirtschaft langzeit lärm lasten laternen leben lebens lebenslage lebensmittel lebenspartnerschaft lehrer leistung leistungen leitung lernen lernmittel licht liegenschaft liste listen lizenz löschung lohn \
luft makler mandat mahnung maler mangel markt märkte marken maschine maßnahme medien medizin meister melde meldebescheinigung meldepflicht melderegister meldung melden mensch menschen messe mess miete mieter mietspiegel \
minderjährige minister mitarbeiter mitglied mitteilung mittel mobil monat motor motorrad müll münze museum musik musikschule mutter nachbar nachbarschaft nachlass nachricht nachtrag nachweis nachweise name namen namens namensänderung natur \
naturschutz neben nebenwohnung neubau neugeborene niederlassung niederschlag not notar notfall notdienst nummer nummern nutzung nutzungs öffentlich öffentlichkeit online opfer ordner ordnung ordnungs ordnungswidrigkeit organ organisation orts ortsteil \
paket papier park parken parkausweis parkplatz partei parteien partner partnerschaft pass passbild patent patienten pauschale pension person personal personalausweis personen personenstand pfand pfandleiher pflanzen pflege pflegegeld pflegeheim pflicht plakat \
plakette plan planung pläne platz plätze politik polizei polizeilich post praktikum prämie praxis preis privat probe produkt programm projekt protokoll prozess prüfung prüfungs rathaus rauch raum räume realschule rechnung recht rechte rechts \
rechtsanwalt reform regel regelung register regierung regional reifen reinigung reise reisen reisepass reisegewerbe reisegewerbekarte renten rente rettung rettungsdienst richter richtlinie risiko roller rückgabe rückstand ruhe ruhestand rundfunk rundfunkbeitrag sache \
sachen sachverständige sammel sammlung sanierung satzung saison säugling schaden schäden schank schein scheidung schenkung schicht schiff schild schilder schlacht schließung schluss schlüssel schmutz schmutzwasser schnee schornstein schornsteinfeger schrift \
schriftlich schul schule schulen schüler schülerbeförderung schulpflicht schulden schuldner schuldnerberatung schutz schwanger schwangerschaft schwarz schwer schwerbehinderung schwerbehinderten schwimmen schwimmbad see seminar senioren service siedlung sicherheit sicherheits sicherung \
sitz sitzung sonder sondernutzung sonn sonntag sorge sorgerecht sozial spar sperr sperrmüll sperrung sperrzeit spiel spiele spielhalle spielplatz sport sportplatz sprach sprache staat staats staatsangehörigkeit stadt städte stadtplan \
stamm stand standes standort stätte statistik stelle stellen stell stellplatz stellung stempel sterbe sterbefall steuer steuern steuerberater stiftung stillegung stilllegung stimm stipendium störung straf strafe strafregister strand straße straßen \
straßenreinigung streit strom studenten studien studium stunde stunden stundung suche system tag tages tagesmutter tagespflege tageseinrichtung tanz tarif taxi technik teil teilnahme telefon termin test theater tiefbau tier tiere tierhaltung tierschutz \
tierheim titel tochter tod todes ton tourismus träger transport trauer trauung trennung trink trinkwasser turnier überführung übergang überlassung übermittlung übernahme überprüfung übersetzung übersetzer übersicht übertragung überwachung überweisung \
umbau umgang umgebung umlage ummeldung ummelden umsatz umschreibung umsiedlung umtausch umwandlung umwelt umweltschutz umzug umzüge unfall unfalls universität unterbringung unterhalt unterhaltsvorschuss unterkunft unterlage unterlagen unternehmen \
unternehmer unterricht unterrichtung unterschrift untersuchung unterstützung urkunde urkunden urlaub urteil vater vaterschaft veranlagung veranstaltung veranstalter verband verbot verbrauch verbraucher verbrennung verein vereine verfahren verfügung vergabe \
vergnügung vergütung verhältnis verkauf verkehr verkehrs verlängerung verlängern verleih verlegung verleihung verletzung verlobung verlust verlustanzeige vermerk vermessung vermieter vermietung vermittlung vermittler vermögen vermögens verordnung verpflegung verpflichtung \
versammlung versand versetzung versicherung versicherungs versorgung verstoß verteidigung vertrag vertreter vertretung verwaltung verwandte verwendung verwertung verzeichnis verzicht vieh volks volksbegehren volkshochschule vollmacht vollstreckung vollzug \
vorabend voranfrage vorbereitung vorkauf vorkaufsrecht vorlage vormund vormundschaft vorname vornamen vorrang vorschlag vorschrift vorschuss vorsitz vorsorge vorstand waffe waffen waffenschein waffenbesitzkarte wahl wahlen wähler wählerverzeichnis waren wärme warnung wartung wasch wasser wechsel \
wehr weiterbildung werbung werbe werk werkstatt wert wertstoff wertstoffhof wesen widerruf widerspruch wiedererteilung wiederholung wild wirtschaft wirtschafts wissen wissenschaft wochen wochenmarkt wohn wohnen wohngeld wohnsitz wohnung wohnungen wohnungslose wohnraum wohnungsbau wunsch wunschkennzeichen zahlung \
zahn zahnarzt zähler zeichen zeit zeitung zentral zentrum zertifikat zeuge zeugnis zeugnisse zimmer zins zivil zoll zone zufahrt zugang zulage zulassung zulassungs zusage zuschuss zuschüsse zustand zuständigkeit zustellung zustimmung zuteilung zuwanderung zuweisung zuwendung zuzug zwang zwangs \
zweck zweit zweitschrift zweitwohnung zweitwohnungsteuer";

/// Three-letter words that begin compounds.
pub(crate) const SHORT_FIRST: [&str; 10] = ["bau", "kfz", "pkw", "lkw", "ehe", "amt", "eid", "erb", "tor", "weg"];

/// Three-letter words that end compounds.
pub(crate) const SHORT_LAST: [&str; 4] = ["amt", "bau", "hof", "weg"];

/// Words that look like compounds of the words above and are not.
pub(crate) const WHOLE: &str = "\
einkommen unterlagen unterlage unternehmen unternehmer unterricht unterrichtung unterschrift unterstützung überweisung anwohner bewohner einwohner gewerblich \
personalien beantragen beantragung anstalt verwaltung verhalten behalten enthalten erhalten unterhalten beistand bestand verstand abstand widerstand \
familie familien ausländer ausland inland verwandte umwelt international regional antworten verantwortung vorlage hinterbliebene benachrichtigung mitglied";

/// Words that are in nearly every text. A question leaves them out unless it has no others.
pub(crate) const STOP: &str = "\
aber alle allem allen aller alles als also am an ander andere anderen anderer anderes auch auf aus bei beim bin bis bist bitte da dabei dafür damit dann \
daran darauf daraus darf darin das dass dazu dein deine dem den denn der deren des dessen die dies diese diesem diesen dieser dieses doch dort du durch \
ein eine einem einen einer eines er es etwa etwas euer eure falls für gegen gibt hab habe haben hat hatte hier ich ihm ihn ihnen ihr ihre ihrem ihren ihrer \
ihres im in indem ins ist ja je jede jedem jeden jeder jedes jedoch kann kein keine keinem keinen keiner können könnt mein meine meinem meinen meiner mich \
mir mit muss müssen nach nicht noch nun nur ob oder ohne sehr sein seine seinem seinen seiner seit selbst sich sie sind so sofern sogar soll sollen sollte \
sonst sowie über um und uns unser unsere unter vom von vor was weil welche welchem welchen welcher welches wenn wer werde werden wie wieder will wir wird wo \
wollen worden wurde wurden würde zu zum zur zwar zwischen";

/// Words of questions that say nothing about the matter. They are not needed; whoever has them too comes first.
pub(crate) const WEAK: &str = "\
antrag anträge anfordern ausfüllen beantrage beantragen beantragt beantragung bekomme bekommen bekommt benötige benötigen benötigt besorgen bestellen \
brauche brauchen braucht dauert darf dürfen erhalte erhalten erledigen formular für gehe gehen geht gehört gern gerne gilt habe hole holen jemand kommen \
kommt kostet kosten kriege kriegen kriegt lassen lange leute mache machen macht man mitbringen möchte möchten mögen nachweis neu neue neuen neuer neues \
nötig online papiere persönlich rein schon stadt stelle stellen tun unterlagen viel wann warum wem wen wieso wieviel wohin woher wollte zeit zuständig \
ämter amt behörde mal jetzt heute schnell einfach eigentlich denn gerade bereits lang online internet termin gebühr gebühren voraussetzungen ablauf frau \
herr mann person personen mensch menschen sache sachen ding dinge gemeinde bürgeramt bürgerbüro rathaus verwaltung info infos information informationen \
frage fragen hilfe helfen hilft wissen weiß suche suchen gesucht finde finden nehmen mitnehmen eigene eigenen eigener eigenes eigen deutschland";
