import sys, random, urllib.request
from urllib.parse import urlencode
from running import running
from test_page import browser, PHONE, DESKTOP
from test_operators_page import call, event, DRAWN, old_search
import shutil, time
from pathlib import Path

def test_shots(browser, drawn_place, tmp_path):
    place = Path(shutil.copy(drawn_place, tmp_path / "shop.db"))
    random.seed(1)
    with running(place, "--workers", "2") as (_, found):
        def ask(p, **k): return call(f"{found}/v1/search/text?{urlencode({'q':p,**k})}")
        for _ in range(60):
            p = random.choice(["red shirt"]*5+["blue striped dress"]*3+["wooden stool","leather boots","a very long phrase of somebody who describes at length what they want in green"])
            a = ask(p)
            ev=[event("impression",a["search_id"],h["id"],i) for i,h in enumerate(a["results"][:10],1)]
            if random.random()<.4:
                i=min(random.choice([1,1,1,2,2,3,4,6]),len(a["results"])); ev.append(event("click",a["search_id"],a["results"][i-1]["id"],i))
                if random.random()<.4: ev.append(event("add_to_cart",a["search_id"],a["results"][i-1]["id"],i))
            call(f"{found}/v1/events",{"events":ev})
        for p in ["sofa","sofa","garden gnome"]: ask(p, price_max=0)
        for _ in range(9): call(f"{found}/v1/products/D00001/similar")
        try: ask("x", limit=0)
        except Exception: pass
        time.sleep(2)
        print(call(f"{found}/v1/stats")["requests"])
        for name,size,look in (("light",DESKTOP,"light"),("dark",DESKTOP,"dark"),("phone",PHONE,"light")):
            c=browser.new_context(viewport=size,color_scheme=look); p=c.new_page()
            p.goto(f"{found}/operators"); p.wait_for_selector(DRAWN)
            if name=="phone":
                p.route("**/v1/stats**", lambda r: r.abort()); p.get_by_label("30 days").check(); p.get_by_role("alert").wait_for()
            p.screenshot(path=f"/tmp/opshots/{name}.png",full_page=True); c.close()
