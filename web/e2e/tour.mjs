// Every page of the tour, as whoever works on it sees it.
import { TOUR } from '../tools/tour-pages.mjs'
import { signIn } from './session.mjs'

export const stories = {
  async 'every page reads well for everyone who opens it'(visit, world) {
    const { page } = visit
    // the tour opens pages that are not there, too
    visit.expectStatus(404)
    for (const { login, pages } of TOUR) {
      if (login) await signIn(visit, world, login)
      else await page.context().clearCookies()
      for (const { title, path, find } of pages) {
        const id = await find?.(page)
        if (find && id === undefined) continue
        await page.goto(path.replace(':id', id))
        await page.locator('h1').first().waitFor()
        await page.waitForFunction(() => !document.querySelector('[aria-busy=true], .skeleton'))
        await visit.look(title)
      }
    }
  },
}
