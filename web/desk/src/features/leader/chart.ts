// The chart library, loaded only with the page that draws: bars, in SVG so that they print sharply.
import { BarChart } from 'echarts/charts'
import { GridComponent, LegendComponent, TooltipComponent } from 'echarts/components'
import { init, use } from 'echarts/core'
import { SVGRenderer } from 'echarts/renderers'

use([BarChart, GridComponent, LegendComponent, TooltipComponent, SVGRenderer])

export interface Bars {
  months: string[]
  series: { name: string; values: number[] }[]
}

/** Tokens, so that light and dark each have bars of their own. */
const COLOURS = ['--brand', '--bad', '--warn', '--ink-3']

function ink(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim()
}

/** Draws stacked bars into `box`; `open` is told which month was clicked. Gives the way to redraw and to stop. */
export function draw(box: HTMLElement, bars: Bars, open: (month: number) => void) {
  const chart = init(box, undefined, { renderer: 'svg' })
  const paint = (one: Bars) =>
    chart.setOption({
      animation: false,
      color: COLOURS.map(ink),
      textStyle: { fontFamily: 'inherit', color: ink('--ink-2') },
      grid: { left: 44, right: 8, top: 30, bottom: 24 },
      legend: {
        top: 0,
        left: 0,
        itemWidth: 12,
        itemHeight: 8,
        itemGap: 16,
        textStyle: { color: ink('--ink-2') },
      },
      // drawn, not HTML: the strict style policy of the page forbids what an HTML tooltip writes
      tooltip: { trigger: 'axis', renderMode: 'richText', axisPointer: { type: 'shadow' } },
      xAxis: {
        type: 'category',
        data: one.months,
        axisLabel: { color: ink('--ink-2') },
        axisLine: { lineStyle: { color: ink('--line') } },
        axisTick: { show: false },
      },
      yAxis: {
        type: 'value',
        minInterval: 1,
        axisLabel: { color: ink('--ink-2') },
        splitLine: { lineStyle: { color: ink('--line-2') } },
      },
      series: one.series.map((line) => ({
        type: 'bar',
        name: line.name,
        stack: 'acts',
        barMaxWidth: 28,
        cursor: 'pointer',
        data: line.values,
      })),
    })
  paint(bars)
  chart.on('click', (event) => open(event.dataIndex))
  const fit = () => chart.resize()
  const watcher = new ResizeObserver(fit)
  watcher.observe(box)
  const PRINT_WIDTH = 640
  const toPaper = () => chart.resize({ width: PRINT_WIDTH })
  window.addEventListener('beforeprint', toPaper)
  window.addEventListener('afterprint', fit)
  return {
    paint,
    stop() {
      watcher.disconnect()
      window.removeEventListener('beforeprint', toPaper)
      window.removeEventListener('afterprint', fit)
      chart.dispose()
    },
  }
}
