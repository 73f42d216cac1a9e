"""What shops write in German, French, Spanish, Italian and Dutch: names of columns, and words for yes and no.

All are in the form of `values.squashed`: lower case, letters and digits only, no accents. German umlauts are there as both "u"
and "ue". Names are listed best first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_COLUMNS: Final[Mapping[str, str]] = {
    "id": """
        artikelnummer artikelnr artnr artikelid artikelcode produktnummer produktnr produktid bestellnummer bestellnr
        reference referenceproduit referencearticle codearticle codeproduit identifiant numeroarticle
        referencia codigo codigoarticulo codigoproducto codigodeproducto identificador
        codice codicearticolo codiceprodotto codprodotto riferimento productnummer""",
    "family": """
        parentartikelnummer vaterartikel vaterartikelnummer hauptartikelnummer modellnummer
        referenceparent codigopadre referenciapadre codicepadre""",
    "title": """
        bezeichnung artikelbezeichnung produktbezeichnung artikelname produktname titel benennung
        nom nomproduit nomduproduit nomarticle nomdelarticle titre libelle intitule designation
        nombre nombreproducto nombredelproducto nombrearticulo titulo denominacion
        nome nomeprodotto nomearticolo nomedelprodotto titolo denominazione naam productnaam artikelnaam""",
    "title?": "produkt artikel produit producto prodotto",
    "description": """
        beschreibung artikelbeschreibung produktbeschreibung langbeschreibung langtext beschreibungstext kurzbeschreibung
        descriptionproduit descriptionlongue descriptif descriptioncourte
        descripcion descripcionlarga descripciondelproducto descripcioncorta
        descrizione descrizionelunga descrizioneprodotto descrizionebreve omschrijving beschrijving productomschrijving""",
    "price": """
        preisbrutto bruttopreis preisinklmwst verkaufspreis vkpreis vkbrutto preis aktionspreis angebotspreis einzelpreis
        preisnetto nettopreis uvp listenpreis
        prixttc prixdevente prixdeventettc prixvente prix prixpromo prixunitaire prixht
        preciodeventa precioventa precio preciooferta precioconiva pvp preciounitario
        prezzodivendita prezzovendita prezzo prezzoivainclusa prezzoscontato prezzounitario
        verkoopprijs prijs prijsinclbtw""",
    "price?": "betrag montant importe importo bedrag",
    "currency": "wahrung waehrung devise monnaie moneda divisa valuta",
    "brand": """
        marke markenname hersteller marque fabricant marca fabricante marchio produttore merk fabrikant""",
    "categories": """
        kategorie kategorien kategoriepfad produktkategorie artikelkategorie warengruppe artikelgruppe produktgruppe
        categorie categorieproduit rubrique categoria categoriadelproducto categoriaprodotto""",
    "images": """
        bild bilder bildurl bildlink bildpfad bilddatei bildname hauptbild weiterebilder zusatzbilder foto fotos abbildung
        imageprincipale urlimage urlimages urldelimage urlphoto photoprincipale visuel visuels
        imagen imagenes imagenprincipal urlimagen urldelaimagen
        immagine immagini immagineprincipale urlimmagine afbeelding afbeeldingen hoofdafbeelding""",
    "availability": """
        lieferbar verfugbar verfuegbar verfugbarkeit verfuegbarkeit auflager lieferstatus
        disponible disponibilite enstock disponibilidad disponibile disponibilita
        beschikbaar beschikbaarheid leverbaar opvoorraad""",
    "stock": """
        lagerbestand bestand lagermenge verfugbarebestand existencias giacenza giacenze quantitaenstock voorraad
        quantiteenstock""",
    "stock?": "menge quantite cantidad quantita aantal",
    "popularity": "verkaufe verkaeufe ventes ventas vendite verkopen",
    "rating": """
        durchschnittsbewertung durchschnittlichebewertung sternebewertung notemoyenne moyennedesavis
        valoracionmedia puntuacionmedia valutazionemedia gemiddeldebeoordeling""",
    "rating?": "bewertung sterne note evaluation avis valoracion puntuacion calificacion valutazione voto beoordeling",
    "added": """
        erstelltam angelegtam hinzugefugtam hinzugefuegtam erstellungsdatum erscheinungsdatum anlagedatum onlineseit
        datedecreation datecreation datedajout dateajout datedeparution
        fechadealta fechaalta fechadecreacion fechacreacion fechadepublicacion
        datadicreazione datacreazione datainserimento aanmaakdatum""",
    "added?": "datum fecha data",
    "active": "aktiv istaktiv freigeschaltet actif activo attivo actief",
    "active?": "sichtbar veroffentlicht veroeffentlicht publie publicado pubblicato visibile",
}


def names(field: str) -> tuple[str, ...]:
    """Return the names of a field's columns; `field` with a question mark gives those that its cells must bear out."""
    return tuple(_COLUMNS.get(field, "").split())


LEVELS: Final[Mapping[str, int]] = {
    **dict.fromkeys(("hauptkategorie", "oberkategorie", "categorieprincipale", "categoriaprincipal"), 1),
    **dict.fromkeys(("categoriaprincipale", "hoofdcategorie"), 1),
    **dict.fromkeys(("kategorie", "categorie", "categoria"), 2),
    **dict.fromkeys(("unterkategorie", "souscategorie", "subcategoria", "sottocategoria", "subcategorie"), 3),
}
QUALIFIERS: Final = (
    *("brutto", "netto", "ttc", "ht", "hors taxe", "inkl mwst", "inkl. mwst", "incl btw", "iva incluido"),
    *("con iva", "iva inclusa", "du produit", "de l'article", "del producto", "del articulo", "del prodotto"),
    *("prodotto", "producto", "produit"),
)
"""What may follow a name without changing what the column is; accents are left out."""

YES_NO: Final[Mapping[str, bool]] = {
    **dict.fromkeys(("ja", "wahr", "oui", "vrai", "si", "verdadero", "vero", "waar"), True),
    **dict.fromkeys(("nein", "falsch", "non", "faux", "falso", "nee", "onwaar"), False),
}
IN_STOCK: Final = tuple(
    [
        "auflager",
        "lieferbar",
        "sofortlieferbar",
        "verfugbar",
        "verfuegbar",
        "vorratig",
        "vorraetig",
        "enstock",
        "disponible",
        "disponibile",
        "enexistencia",
        "enexistencias",
        "instock",
        "disponibileinmagazzino",
        "opvoorraad",
        "leverbaar",
        "beschikbaar",
    ]
)
OUT_OF_STOCK: Final = tuple(
    [
        "ausverkauft",
        "vergriffen",
        "nichtauflager",
        "nichtlieferbar",
        "nichtverfugbar",
        "nichtverfuegbar",
        "rupture",
        "rupturedestock",
        "enrupture",
        "enrupturedestock",
        "epuise",
        "indisponible",
        "nondisponible",
        "agotado",
        "nodisponible",
        "sinexistencias",
        "sinstock",
        "esaurito",
        "nondisponibile",
        "uitverkocht",
        "nietopvoorraad",
        "nietleverbaar",
        "nietbeschikbaar",
    ]
)
ACTIVE: Final[Mapping[str, bool]] = {
    **dict.fromkeys(("aktiv", "veroffentlicht", "sichtbar", "actif", "publie", "activo", "publicado"), True),
    **dict.fromkeys(("attivo", "pubblicato", "actief"), True),
    **dict.fromkeys(("inaktiv", "entwurf", "inactif", "brouillon", "inactivo", "borrador"), False),
    **dict.fromkeys(("inattivo", "disattivo", "bozza", "inactief"), False),
}
