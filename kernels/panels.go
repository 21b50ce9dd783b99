package kernels

// PackPanel packs 16 rows of k elements, ld elements apart, as a panel of
// [MulPanels]: dst[d·16+i] = src[i·ld+d].
func PackPanel(dst, src []float32, ld, k int) {
	if k < 1 || len(src) < (panelWidth-1)*ld+k || len(dst) < panelWidth*k {
		panic(errShape)
	}
	attention().transpose(dst, panelWidth, src, ld, k, 1)
}

// MulPanels sets, for rows rows i of a and n columns j, a multiple of 16,
//
//	dst[i·ldd+j] = Σ_d a[i·lda+d]·panels[(j/16·k+d)·16+j%16]
//
// one chain in the order of d. It is for products so small that their worker does
// them alone; others are [Exec.MatMul]'s.
func MulPanels(dst []float32, ldd int, a []float32, lda, rows, k int, panels []float32, n int) {
	if rows < 1 || k < 1 || n < panelWidth || n%panelWidth != 0 || ldd < n || len(panels) < n*k || len(a) < (rows-1)*lda+k || len(dst) < (rows-1)*ldd+n {
		panic(errShape)
	}
	cfg := gemmTiles()
	main, last := &cfg.shapes[cfg.main], &cfg.shapes[len(cfg.shapes)-1]
	for j := 0; j < n; {
		s := main
		if j+s.np*panelWidth > n {
			s = last
		}
		groups := (rows + s.rows() - 1) / s.rows()
		for g, i := 0, 0; g < groups; g++ {
			m := (rows - i + groups - g - 1) / (groups - g)
			s.tiles[m](k, &a[i*lda], 4*lda, &panels[j*k], 4*panelWidth*k, &dst[i*ldd+j], 4*ldd, 4*panelWidth, 0, nil, &a[i*lda])
			i += m
		}
		j += s.np * panelWidth
	}
}
